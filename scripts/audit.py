"""Checks the deployed packages for known vulnerabilities with pip-audit. `make audit` runs it.

It fails for a vulnerability, but not when the vulnerability database cannot be reached, which it only reports.
"""

import json
import subprocess
import sys

from headrace.emulator.cloudformation import ROOT

PIP_AUDIT = ROOT / ".tools" / "audit" / "bin" / "pip-audit"
LOCK = ROOT / "requirements" / "function-api.txt"


def main() -> int:
    """Audit the packages; returns 0 when no vulnerability is known."""
    done = subprocess.run(
        [str(PIP_AUDIT), "--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json",
         "--requirement", str(LOCK)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        audited = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = done.stderr.strip().splitlines()[-1:] or ["no response"]
        print(f"pip-audit: NOT AUDITED, the vulnerability database cannot be reached ({reason[0][:200]})")
        return 0
    vulnerable = [package for package in audited if package.get("vulns")]
    skipped = [package["name"] for package in audited if "skip_reason" in package]
    for package in vulnerable:
        ids = ", ".join(found["id"] for found in package["vulns"])
        print(f"pip-audit: {package['name']} {package.get('version')} is vulnerable: {ids}")
    if skipped:
        print(f"pip-audit: NOT AUDITED, unknown to the database: {', '.join(skipped)}")
    print(f"pip-audit: {len(audited) - len(skipped)} packages audited, {len(vulnerable)} vulnerable")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
