"""HTTP: routes, requests, responses, problems, and the page's files."""
