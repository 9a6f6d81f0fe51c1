"""The review page in a real browser (Debian's chromium), by mouse, keys and touch; every request that leaves this machine fails
the test. Needs SPINERT_BINARY."""

import contextlib
import json
import os
import shutil
import unittest

try:
    import axe_playwright_python, fastapi, numpy, PIL, uvicorn  # noqa
    from playwright.sync_api import Page, expect, sync_playwright
except ImportError as missing:
    raise unittest.SkipTest(f"this Python lacks {missing.name} (playwright, axe-playwright-python)") from None
from pathlib import Path

import review_data
from review_data import HU_OFFSET, SLICES, WithData

CHROMIUM = shutil.which("chromium")
if not CHROMIUM:
    raise unittest.SkipTest("Debian's package chromium is not installed")
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
TOKEN = "0123456789abcdef"
FIRST, SECOND = SLICES


class ReviewPage(WithData):
    @classmethod
    def setUpClass(cls) -> None:
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        play = cls.stack.enter_context(sync_playwright())
        cls.browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        cls.stack.callback(cls.browser.close)

    def page(self, service, address: str = "", who: str = "anna", **given) -> Page:
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", "bypass_csp": False} | given)
        self.addCleanup(context.close)
        context.set_default_timeout(15000)
        page = context.new_page()
        wrong: list[str] = []
        self.addCleanup(lambda: self.assertEqual(wrong, []))
        page.on("request", lambda one: None if one.url.startswith((service.url, "blob:")) else wrong.append(one.url))
        page.on("pageerror", lambda one: wrong.append(str(one)))
        page.on("console", lambda one: wrong.append(one.text) if "Content Security" in one.text else None)
        page.add_init_script(f"localStorage.setItem('spinert.reviewer', {json.dumps(who)})")
        page.goto(f"{service.url}/review/#/{address}")
        return page

    def editor(self, service, job: str, **given) -> Page:
        page = self.page(service, f"{job}/1", **given)
        self.shown(page, FIRST)
        return page

    def shown(self, page: Page, source: str) -> None:
        expect(page.get_by_role("heading", name=source)).to_be_visible()
        expect(page.locator(".over")).to_have_text("")

    def saved(self, page: Page) -> None:
        expect(page.locator("#saved")).to_have_text("All saved")

    def journal(self, job: str) -> list[dict]:
        path = self.data / "jobs" / job / "review-1.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    def last(self, page: Page, job: str, count: int) -> dict:
        for _ in range(100):
            if len(self.journal(job)) >= count:
                break
            page.wait_for_timeout(100)
        self.saved(page)
        self.assertEqual(len(self.journal(job)), count)
        return self.journal(job)[-1]

    def at(self, page: Page, x: float, y: float, source: str = FIRST) -> tuple[float, float]:
        """Where a pixel of the slice lies on the page while the slice is fitted."""
        stage = page.locator(".stage").bounding_box()
        one = next(one for one in self.report["slices"] if one["source"] == source)
        scale = min(stage["width"] / one["width"], stage["height"] / one["height"])
        return (stage["x"] + stage["width"] / 2 + (x - one["width"] / 2) * scale, stage["y"] + stage["height"] / 2 + (y - one["height"] / 2) * scale)

    def drag(self, page: Page, start, end, button: str = "left") -> None:
        page.mouse.move(*start)
        page.mouse.down(button=button)
        page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        page.mouse.move(*end)
        page.mouse.up(button=button)

    def accessible(self, page: Page) -> None:
        page.evaluate(AXE)
        found = page.evaluate("axe.run().then((results) => results.violations.map((one) => [one.id, one.nodes.map((node) => node.html)]))")
        self.assertEqual(found, [])

    @property
    def report(self) -> dict:
        return json.loads((review_data.result() / "report.json").read_text())

    def job(self, number: int = 1, *change, **fields) -> str:
        return review_data.job(self.data, number, *change, **fields)

    def test_list(self) -> None:
        self.job(1, lambda report, _: report.update(alert="negative"))
        self.job(2, lambda report, _: report.update(alert="review"))
        positive = self.job(3)
        self.job(4, state="failed", error="E_DICOM", message="cannot be read", studies=[{"folder": "."}], files=[{"name": "1", "client_name": "<img src=x onerror=alert(1)>"}])
        self.job(5, state="cancelled", studies=[])
        page = self.page(self.serve())
        expect(page.get_by_role("row").filter(has=page.locator("td .pill"))).to_have_count(5)
        self.assertEqual(page.locator("td .pill").all_inner_texts(), ["positive", "review", "negative", "cancelled", "failed"])
        expect(page.locator("section").last.locator("h2")).to_have_text("NOT diagnosed: no result 2")
        expect(page.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
        expect(page.locator("section").last.get_by_role("link")).to_have_count(0)
        page.get_by_label("Find").fill("study 2")
        expect(page.locator("td .pill")).to_have_count(1)
        page.get_by_label("Find").fill("")
        page.locator("main").focus()
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        self.shown(page, FIRST)
        self.assertIn(positive, page.url)

    def test_viewer(self) -> None:
        job = self.job(1, review_data.in_hounsfield)
        page = self.editor(self.serve(), job)
        one = self.report["slices"][0]
        values = review_data.hounsfield(one["height"], one["width"]).astype(int) - HU_OFFSET
        for x, y in ((0, 0), (3, 1), (100, 202), (one["width"] - 1, one["height"] - 1), (77, 333), (201, 404)):
            page.mouse.move(*self.at(page, x + 0.5, y + 0.5))
            expect(page.get_by_label("Pixel")).to_have_text(f"x {x}, y {y}: {values[y, x]} HU")
        window = page.get_by_label("Window", exact=True)
        expect(window).to_have_text("Level 400, width 1800 HU")
        page.keyboard.press("w")
        expect(window).to_have_text("Level 40, width 400 HU")
        middle = self.at(page, one["width"] / 2, one["height"] / 2)
        self.drag(page, middle, (middle[0] + 100, middle[1]), "right")
        expect(window).to_have_text("Level 40, width 500 HU")
        page.mouse.wheel(0, 100)
        self.shown(page, SECOND)
        page.keyboard.press("PageUp")
        self.shown(page, FIRST)
        page.mouse.move(*middle)
        before = page.get_by_label("Pixel").inner_text()
        corner = self.at(page, 20.5, 30.5)
        page.keyboard.down("Control")
        page.mouse.wheel(0, -300)
        page.keyboard.up("Control")
        page.mouse.move(middle[0] + 1, middle[1])
        self.assertEqual(page.get_by_label("Pixel").inner_text().split(":")[0], before.split(":")[0])  # the point under the pointer stays
        page.mouse.move(*corner)
        expect(page.get_by_label("Pixel")).not_to_contain_text("x 20, y 30:")
        page.keyboard.press("0")
        page.mouse.move(*corner)
        expect(page.get_by_label("Pixel")).to_contain_text("x 20, y 30:")

    def test_edit_by_mouse(self) -> None:
        job = self.job()
        page = self.editor(self.serve(), job)
        x1, y1, x2, y2 = self.report["slices"][0]["vertebrae"][1]["box"]
        scale = self.at(page, 1, 0)[0] - self.at(page, 0, 0)[0]
        start = self.at(page, (x1 + x2) / 2, (y1 + y2) / 2)
        self.drag(page, start, (start[0] - 20 * scale, start[1] + 10 * scale))
        box = self.last(page, job, 1)["state"]["box"]
        for got, want in zip(box, (x1 - 20, y1 + 10, x2 - 20, y2 + 10)):
            self.assertAlmostEqual(got, want, delta=0.7)
        corner = self.at(page, *box[2:])
        self.drag(page, corner, (corner[0] + 12 * scale, corner[1] + 8 * scale))
        now = self.last(page, job, 2)["state"]["box"]
        self.assertEqual(now[:2], box[:2])
        self.assertAlmostEqual(now[2], box[2] + 12, delta=0.7)
        page.get_by_role("button", name="Add box").click()
        self.drag(page, self.at(page, 20, 20), self.at(page, 60, 70))
        added = self.last(page, job, 3)
        self.assertEqual((added["vertebra"][0], added["state"]["labels"]), ("a", []))
        self.assertAlmostEqual(added["state"]["box"][3], 70, delta=0.7)
        page.keyboard.press("a")
        expect(page.locator("#said")).to_contain_text("new 1 needs labels first")
        page.get_by_role("group", name="Labels of vertebra new 1").get_by_role("button", name="OVCF").click()
        self.assertEqual(self.last(page, job, 4)["state"]["labels"], ["OVCF"])
        page.get_by_role("button", name="Remove").click()
        self.assertIsNone(self.last(page, job, 5)["state"])
        page.reload()
        self.shown(page, FIRST)
        expect(page.locator(".row").filter(has_text="corrected")).to_have_count(1)
        expect(page.locator(".row").filter(has_text="removed")).to_have_count(1)

    def test_edit_by_keys_and_undo(self) -> None:
        job = self.job()
        page = self.editor(self.serve(), job)
        press = page.keyboard.press
        first = [one for one in self.report["slices"][0]["vertebrae"]][0]
        press("n")
        press("ArrowRight")
        moved = self.last(page, job, 1)["state"]["box"]
        self.assertAlmostEqual(moved[0], first["box"][0] + 1, delta=0.01)
        page.wait_for_timeout(1000)  # the next one is a step of its own
        press("Shift+ArrowDown")
        self.assertAlmostEqual(self.last(page, job, 2)["state"]["box"][3], moved[3] + 1, delta=0.01)
        page.wait_for_timeout(1000)
        press("6")
        self.assertEqual(self.last(page, job, 3)["state"]["labels"], ["normal"] if first["labels"] != ["normal"] else [])
        page.wait_for_timeout(1000)
        for label in ("1", "4"):
            press(label)
        self.assertEqual(self.last(page, job, 5)["state"]["labels"], ["OVCF", "KD"])
        press("b")
        press("Enter")
        self.last(page, job, 6)
        press("Delete")
        self.assertIsNone(self.last(page, job, 7)["state"])
        for count in range(8, 14):
            press("z")
            now = self.last(page, job, count)
            if not page.get_by_role("button", name="Undo").is_enabled():
                break
        self.assertEqual(now["state"]["labels"], first["labels"])
        for got, want in zip(now["state"]["box"], first["box"]):
            self.assertAlmostEqual(got, want, delta=0.01)
        press("y")
        self.assertEqual(self.last(page, job, count + 1)["state"]["box"], moved)
        press("a")
        self.shown(page, SECOND)
        self.assertTrue(self.last(page, job, count + 2)["accepted"])
        press("a")
        self.last(page, job, count + 3)
        press("q")
        expect(page.get_by_text("accepted, 2 of 2 slices; anna")).to_be_visible()

    def test_two_reviewers(self) -> None:
        job, service = self.job(), self.serve()
        anna, ben = self.editor(service, job), self.editor(service, job, who="ben")
        for page, key in ((anna, "1"), (ben, "5")):
            page.route("**/review?study=1", lambda route: route.continue_() if route.request.method == "POST" else route.abort())  # no news
            page.keyboard.press("n")
            page.keyboard.press(key)
            self.last(anna, job, 1)
        dialog = ben.get_by_role("dialog", name="Two corrections of one vertebra")
        expect(dialog).to_contain_text("anna changed vertebra 1")
        self.accessible(ben)
        self.shot(ben, "conflict")
        ben.get_by_role("button", name="Keep mine").click()
        self.assertEqual(self.last(ben, job, 2)["who"], "ben")
        anna.keyboard.press("2")
        anna.get_by_role("button", name="Take that of ben").click()
        self.last(anna, job, 2)
        for page in (anna, ben):
            page.unroute("**/review?study=1")
        ben.keyboard.press("n")
        ben.keyboard.press("3")
        self.last(ben, job, 3)
        anna.keyboard.press("4")  # of another vertebra: both hold, and each sees the other's
        self.last(anna, job, 4)
        for page in (anna, ben):
            expect(page.locator(".row").filter(has_text="corrected")).to_have_count(2)

    def test_killed_service(self) -> None:
        job, service = self.job(), self.serve()
        page = self.editor(service, job)
        service.kill()
        page.keyboard.press("n")
        page.keyboard.press("1")
        page.keyboard.press("n")
        page.keyboard.press("2")
        expect(page.locator("#saved")).to_contain_text("2 not saved: the service does not answer")
        page.evaluate("window.stop()")
        service = self.serve(port=service.port)
        page.reload()
        self.shown(page, FIRST)
        self.last(page, job, 2)
        self.assertEqual(len({line["vertebra"] for line in self.journal(job)}), 2)

    def test_token_and_old_result(self) -> None:
        job = self.job(1, lambda report, folder: [one.unlink() for one in folder.glob("slice-*")] and report["volatile"].update(
            files=[one for one in report["volatile"]["files"] if not one["name"].startswith("slice-")]))
        page = self.page(self.serve(token=TOKEN), f"{job}/1")
        page.get_by_label("This service wants a token").fill("wrong")
        page.get_by_role("button", name="Continue").click()
        page.get_by_label("This service wants a token").fill(TOKEN)
        page.get_by_role("button", name="Continue").click()
        self.shown(page, FIRST)
        expect(page.get_by_text("Only to look at")).to_be_visible()
        page.keyboard.press("n")
        for key in ("1", "Delete", "ArrowLeft", "b", "a"):
            page.keyboard.press(key)
        page.reload()  # the token stays
        self.shown(page, FIRST)
        self.assertEqual(self.journal(job), [])

    def test_looks(self) -> None:
        def hostile(report: dict, folder) -> None:
            report["slices"][0]["reasons"] = [{"code": "x", "text": "<img src=x onerror=alert(1)>"}]
            report["slices"][0]["vertebrae"][1]["labels"] = []
        self.job(1, hostile)
        self.job(2, state="failed", error="E_DICOM", message="cannot be read", studies=[{"folder": "."}])
        service = self.serve()
        for name, given in (("light", {}), ("dark", {"color_scheme": "dark"}), ("tablet", {"viewport": {"width": 768, "height": 1024}, "has_touch": True})):
            page = self.page(service, **given)
            expect(page.locator(".pill")).to_have_count(2)
            self.accessible(page)
            self.shot(page, f"list-{name}")
            page.get_by_role("link", name="study 1").click()
            self.shown(page, FIRST)
            expect(page.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
            page.locator(".row").nth(1).click()
            self.accessible(page)
            self.shot(page, f"viewer-{name}")
            self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), page.viewport_size["width"])
            page.keyboard.press("?")
            self.accessible(page)
            page.keyboard.press("Escape")

    def shot(self, page: Page, name: str) -> None:
        """For people to look at: SPINERT_SCREENSHOTS names a folder."""
        if folder := os.environ.get("SPINERT_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{name}.png")


if __name__ == "__main__":
    unittest.main()
