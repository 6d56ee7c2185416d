"""Quotas: what one owner may submit, so that jobs that submit jobs end."""
