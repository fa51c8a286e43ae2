"""Maps predicted from descriptions, compared with published meta-analyses."""
