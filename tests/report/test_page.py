"""The page as a browser shows it."""

import base64

import pytest
import synaprune as sn

By = pytest.importorskip("selenium.webdriver.common.by").By
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
ActionChains = pytest.importorskip("selenium.webdriver.common.action_chains").ActionChains

SECTIONS = ["network", "units", "inputs", "curve", "rules", "samples", "origin"]


@pytest.fixture(scope="module")
def page(digits, digits_path, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "digits.html"
    digits_path.report(file, validation=digits.validation, test=digits.test, image_shape=(8, 8))
    return file


def one(browser, css):
    return browser.find_element(By.CSS_SELECTOR, css)


def every(browser, css):
    return browser.find_elements(By.CSS_SELECTOR, css)


def lit(browser):
    return len(every(browser, "#network line.lit"))


def test_the_page_loads_whole_and_without_a_word(page, browse, digits_path):
    browser = browse(page)
    assert browser.get_log("browser") == []
    assert [s.get_attribute("id") for s in every(browser, "section")] == SECTIONS
    structure = digits_path.smallest.structure
    assert structure in one(browser, "h1").text
    assert len(every(browser, "#network line")) == digits_path.smallest.n_synapses
    assert len(every(browser, "#inputs figure canvas")) == 11
    assert len(every(browser, "#curve circle")) == len(digits_path)
    assert len(every(browser, "#samples .samples button")) == 40
    assert "scripts are switched off" not in one(browser, "body").text
    asked = browser.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name)"
    )
    assert [name for name in asked if not name.startswith("data:")] == []


def test_a_neuron_lights_its_paths_and_shows_its_ablation(page, browse, digits_path):
    browser = browse(page)
    net = digits_path.smallest
    neuron = int(net.weights[1].indices[0])
    spot = one(browser, f'[data-key="1:{neuron}"]')
    ActionChains(browser).move_to_element(spot).perform()
    through = (net.weights[0].rows == neuron).sum() + (net.weights[1].indices == neuron).sum()
    assert lit(browser) == through
    details = one(browser, ".details").text
    assert details.startswith(f"neuron {neuron}")
    assert "points" in details
    ActionChains(browser).move_to_element(one(browser, "h1")).perform()
    assert lit(browser) == 0
    spot.find_element(By.CSS_SELECTOR, "circle").click()  # a tap holds it
    ActionChains(browser).move_to_element(one(browser, "h1")).perform()
    assert lit(browser) == through
    one(browser, "body").send_keys(Keys.ESCAPE)
    assert lit(browser) == 0


def test_keys_reach_what_the_mouse_reaches(page, browse):
    browser = browse(page)
    spot = one(browser, '#network [data-key^="1:"]')
    browser.execute_script("arguments[0].focus()", spot)
    assert lit(browser) > 0
    spot.send_keys(Keys.ENTER)
    assert "chosen" in spot.get_attribute("class")
    spot.send_keys(Keys.ESCAPE)
    assert lit(browser) == 0
    button = every(browser, "#network .filter button")[4]
    button.send_keys(Keys.ENTER)
    assert button.get_attribute("aria-pressed") == "true"


def test_a_class_filters_the_network(page, browse):
    browser = browse(page)
    three = every(browser, "#network .filter button")[4]
    three.click()
    assert one(browser, ".details h3").text == "class 3"

    def opacity(k):
        return float(one(browser, f'[data-key="2:{k}"]').value_of_css_property("opacity"))

    assert opacity(3) == 1
    assert opacity(4) < 0.3
    every(browser, "#network .filter button")[0].click()
    assert opacity(4) == 1


def test_samples_say_why(page, browse):
    browser = browse(page)
    button = every(browser, "#samples .samples button")[5]
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    why = one(browser, "#samples .why").text
    assert "sum to the logit" in why
    assert len(every(browser, "#samples .why tbody tr")) == 8


def test_phones_and_dark_screens(page, browse):
    def ground(browser):
        colour = one(browser, "body").value_of_css_property("background-color")
        return sum(map(int, colour[5:-4].split(",")[:3]))

    assert ground(browse(page, scheme="light")) > 600
    dark = browse(page, width=390, height=844, scheme="dark")
    assert dark.execute_script("return document.documentElement.scrollWidth") <= 390
    assert dark.get_log("browser") == []
    assert ground(dark) < 120


def test_it_prints(page, browse):
    printed = browse(page).execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 20_000


def test_numbers_have_a_page_without_classes(of_numbers, browse, tmp_path):
    path, X, y = of_numbers
    file = tmp_path / "numbers.html"
    path.report(file, validation=(X, y))
    browser = browse(file)
    assert browser.get_log("browser") == []
    shown = ["network", "units", "inputs", "responses", "formula", "curve", "origin"]
    assert [s.get_attribute("id") for s in every(browser, "section")] == shown
    assert len(every(browser, "#responses svg")) == 2 * path.smallest.n_used_inputs
    assert "R², validation" in one(browser, "header").text
    assert one(browser, "#curve h2").text == "R² against synapses"
    assert every(browser, ".filter") == []
    neuron = int(path.smallest.weights[1].indices[0])
    ActionChains(browser).move_to_element(one(browser, f'[data-key="1:{neuron}"]')).perform()
    details = one(browser, ".details").text
    assert "R² changes by" in details
    assert "y1" in details
    for word in ("class", "accuracy", "undefined", "NaN"):
        assert word not in one(browser, "main").text


def test_numbers_without_data_say_so(of_numbers, browse, tmp_path):
    sn.report.write_report(tmp_path / "bare.html", of_numbers[0].smallest)
    browser = browse(tmp_path / "bare.html")
    assert browser.get_log("browser") == []
    for section in ("units", "responses"):
        assert "need samples" in one(browser, f"#{section}").text


def test_markup_in_names_stays_text(named, browse, tmp_path):
    evil = "<script>window.hurt = 1</script>"
    net, X, y = named(
        (evil, "<img src=x onerror='window.hurt=1'>", "&amp;"), ("</script>", "a", "b", "c")
    )
    file = tmp_path / "evil.html"
    sn.report.write_report(file, net, validation=(X, y), title=evil)
    browser = browse(file)
    assert browser.execute_script("return window.hurt") is None
    assert browser.get_log("browser") == []
    names = [b.text for b in every(browser, "#network .filter button")]
    assert names == ["all classes", "&amp;", "<img src=x onerror='window.hurt=1'>", evil]
    assert browser.title.startswith(evil)


def test_a_page_without_data_says_so(digits_path, browse, tmp_path):
    digits_path.smallest.save(tmp_path / "net.npz")
    sn.report.write_report(tmp_path / "bare.html", sn.SparseMLP.load(tmp_path / "net.npz"))
    browser = browse(tmp_path / "bare.html")
    assert browser.get_log("browser") == []
    for section in ("units", "rules", "samples"):
        assert "need" in one(browser, f"#{section}").text
    assert "without its pruning path" in one(browser, "#curve").text
    ActionChains(browser).move_to_element(one(browser, '[data-key^="1:"]')).perform()
    assert "needs samples" in one(browser, ".details").text


def test_the_formula_of_a_small_network_is_shown_as_text(named, browse, tmp_path):
    evil = "<script>window.hurt = 1</script>"
    net, X, y = named(("a", "b", "c"), (evil, "b", "c", "d"))
    sn.report.write_report(tmp_path / "formula.html", net, validation=(X, y))
    browser = browse(tmp_path / "formula.html")
    assert browser.get_log("browser") == []
    assert browser.execute_script("return window.hurt") is None
    lines = [code.text for code in every(browser, "#formula li code")]
    assert [line.partition(" = ")[0] for line in lines if line.startswith(("logit", "P"))] == [
        "logit(a)", "logit(b)", "logit(c)", "P",
    ]  # fmt: skip
    assert repr(evil) in "".join(lines)
