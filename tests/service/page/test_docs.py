"""/docs: *Try it out* sends a working request, with only required fields filled in."""

from pathlib import Path

from playwright.sync_api import Locator, expect

FILLED = {
    "/v1/colorizations": {"n": "1", "seed": "7"},
    "/v1/variations": {"n": "1", "seed": "7", "index": "2"},
    "/v1/transfers": {"n": "1", "seed": "7"},
    "/v1/interpolations": {"seed": "7", "index": "0", "to_index": "1"},
}
TRIED = ("/v1/colorizations", "/v1/interpolations")
"""These two are seen in the browser, which takes its time: the second may have a further file, and has not."""


def filled(operation: Locator) -> dict[str, str]:
    """Return the values of a form's fields that are not empty."""
    script = """rows => Object.fromEntries(rows.map(row => {
      const input = row.querySelector('input:not([type=file]):not([type=checkbox]), select, textarea');
      return [row.dataset.propertyName, input ? input.value : ''];
    }).filter(([, value]) => value !== ''))"""
    found: dict[str, str] = operation.locator("tr[data-property-name]").evaluate_all(script)
    return found


def test_try_it_out_fills_in_no_more_than_needed(service, open_page, photo: Path) -> None:
    paths = service.client.get("/openapi.json").json()["paths"]
    for path, fields in FILLED.items():
        form = paths[path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
        examples = {name: str(field["examples"][0]) for name, field in form.items() if "examples" in field}
        assert {name: example for name, example in examples.items() if example} == fields
    page = open_page("/docs", ready=False)
    for path in TRIED:
        service.colorizer.forget()
        operation = page.locator(".opblock", has=page.locator(f"[data-path='{path}']"))
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Try it out").click()
        assert filled(operation) == FILLED[path]
        operation.locator("tr[data-property-name=image] input[type=file]").set_input_files(photo)
        operation.get_by_role("button", name="Execute").click()
        status = operation.locator(".live-responses-table .response-col_status").nth(1)
        expect(status).to_contain_text("200")
        expect(operation.locator(".live-responses-table")).to_contain_text("b64_json")
        if path == "/v1/colorizations":
            operation.locator(".response-control-media-type select").first.select_option("image/jpeg")
            operation.get_by_role("button", name="Execute").click()
            expect(operation.locator(".live-responses-table img")).to_be_visible()
        (options, *_) = service.colorizer.options
        assert getattr(options, "hints", ()) == ()
        assert options.temperature is None
        operation.locator(".opblock-summary-control").click()  # closes it: an open operation makes the next ones slow
