// Sends the calls of this page, and keeps each curl command like its form. Answers are shown as text, never as markup.
"use strict";

const root = new URL(".", location.href); // a gateway may serve the API below a path
const token = document.getElementById("token");
const MOST_SHOWN = 200000; // characters

function encoded(text) {
  return encodeURIComponent(text).replace(/!/g, "%21");
}

// The parameters of one place that have a value or, if `standIn` gives one, need one.
function parameters(form, place, standIn) {
  return [...form.querySelectorAll(`[data-in="${place}"]`)]
    .map((field) => ({ name: field.name, value: field.value, given: field.value !== "", needed: field.required }))
    .filter((each) => each.given || (each.needed && standIn))
    .map((each) => ({ ...each, text: each.given ? encoded(each.value) : standIn(each.name) }));
}

function target(form, standIn) {
  let path = form.dataset.path;
  for (const each of parameters(form, "path", standIn)) path = path.replace(`{${each.name}}`, () => each.text);
  const query = parameters(form, "query", standIn).map((each) => `${each.name}=${each.text}`);
  return path + (query.length ? `?${query.join("&")}` : "");
}

function body(form) {
  const field = form.querySelector('[data-in="body"]');
  return field && field.value !== "" ? field.value : undefined;
}

function quoted(text) {
  return `'${text.replace(/'/g, `'"'"'`)}'`;
}

function variable(name) {
  return `$${name.toUpperCase().replace(/-/g, "_")}`;
}

function command(form) {
  const method = form.dataset.method === "GET" ? "" : ` -X ${form.dataset.method}`;
  const lines = [`curl${method} "$API${target(form, variable)}"`];
  if ("token" in form.dataset) lines.push('-H "Authorization: Bearer $TOKEN"');
  for (const { name, value, given } of parameters(form, "header", variable)) {
    lines.push(given ? `-H ${quoted(`${name}: ${value}`)}` : `-H "${name}: ${variable(name)}"`);
  }
  if (body(form) !== undefined) lines.push("-H 'Content-Type: application/json'", `--data-raw ${quoted(body(form))}`);
  return lines.join(" \\\n  ");
}

function headers(form) {
  const sent = new Headers();
  if ("token" in form.dataset && token.value.trim()) sent.set("authorization", `Bearer ${token.value.trim()}`);
  if (body(form) !== undefined) sent.set("content-type", "application/json");
  for (const { name, value } of parameters(form, "header")) sent.set(name, value);
  return sent;
}

function pretty(text) {
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // Not JSON: as it came.
  }
  const rest = shown.length - MOST_SHOWN;
  return rest > 0 ? `${shown.slice(0, MOST_SHOWN)}\n… ${rest} more characters` : shown;
}

// An id that was answered goes into the empty fields of the operations to which the document's links lead.
function passOn(form, text) {
  const id = JSON.parse(text).id;
  for (const name of form.dataset.fills.split(" ").filter(Boolean)) {
    for (const field of document.querySelectorAll(`[data-in="path"][name="${name}"]`)) {
      if (typeof id !== "string" || field.value !== "") continue;
      field.value = id;
      show(field.form);
    }
  }
}

async function send(form) {
  const began = performance.now();
  const url = new URL(target(form).slice(1), root);
  const response = await fetch(url, {
    method: form.dataset.method,
    headers: headers(form),
    body: body(form),
    cache: "no-store",
    credentials: "omit",
    redirect: "error", // a token goes where its user sent it, and no further
  });
  const text = await response.text();
  const milliseconds = Math.round(performance.now() - began);
  const lines = [`${response.status} ${response.statusText}`.trim() + ` in ${milliseconds} ms`];
  for (const [name, value] of response.headers) lines.push(`${name}: ${value}`);
  if (response.ok && form.dataset.fills) passOn(form, text);
  const hint = response.status === 401 && !token.value ? "\n\nPaste a token above: see Authentication." : "";
  return `${lines.join("\n")}${text ? `\n\n${pretty(text)}` : ""}${hint}`;
}

function show(form) {
  form.closest("article").querySelector(".curl").textContent = command(form);
}

async function submitted(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const [button, answer] = [form.querySelector("button"), form.querySelector(".answer")];
  button.disabled = true;
  try {
    answer.textContent = await send(form);
  } catch (error) {
    answer.textContent = `No answer: ${error.message}`;
  }
  answer.hidden = false;
  button.disabled = false;
}

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", submitted);
  form.addEventListener("input", () => show(form));
  form.parentElement.hidden = false;
}
document.getElementById("token-field").hidden = false;
const shell = document.getElementById("shell");
shell.textContent = shell.textContent.replace(/^API=.*$/m, `API=${root.href.replace(/\/$/, "")}`);
