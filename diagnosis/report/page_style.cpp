// page_style.cpp - one sheet for light, dark, phone and paper. Colours of classes come from wording.h, so that page and
// preview agree; every text stands on its background with a contrast of at least 4.5 to 1.
#include "diagnosis/report/page_style.h"

#include "diagnosis/report/wording.h"

namespace spinert {
namespace {

constexpr const char* kSheet = R"css(
:root{color-scheme:light dark;--bg:#f3f5f7;--card:#fff;--ink:#16202a;--soft:#566370;--line:#dde3e8;--cell:#eef1f4;
--accent:#0b6e8f;--bad:#b3261e;--bad-bg:#fdecea;--warn:#7a4d00;--warn-bg:#fff4dc;--good:#0a6b4d;--good-bg:#e3f5ee;
--shadow:0 1px 2px rgba(16,32,48,.06),0 4px 16px rgba(16,32,48,.05)}
@media (prefers-color-scheme:dark){:root{--bg:#0d1217;--card:#161d24;--ink:#e4eaef;--soft:#9aa8b4;--line:#27313a;
--cell:#1f2830;--accent:#63c3e4;--bad:#ffaba3;--bad-bg:#3a1a18;--warn:#ffcf7a;--warn-bg:#33270f;--good:#7fdcb8;
--good-bg:#113026;--shadow:none}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
a{color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.wrap{max-width:1240px;margin:0 auto;padding:0 20px}
.label{background:var(--warn-bg);color:var(--warn);border-bottom:1px solid var(--line);font-size:14px;font-weight:600;
text-align:center}
.label .wrap{padding-top:8px;padding-bottom:8px}
header.top{padding:28px 0 8px}
h1{font-size:26px;line-height:1.2;letter-spacing:-.01em;margin:0 0 4px;font-weight:650}
h2{font-size:19px;line-height:1.3;margin:0;font-weight:650}
h3{font-size:13px;margin:22px 0 8px;font-weight:650;color:var(--soft);letter-spacing:.04em;text-transform:uppercase}
p{margin:0 0 8px}
.soft{color:var(--soft)}
.small{font-size:14px}
.pill{display:inline-block;border-radius:999px;padding:2px 11px;font-size:14px;font-weight:600;white-space:nowrap;
background:var(--cell);color:var(--ink);border:1px solid transparent}
.positive,.failed{background:var(--bad-bg);color:var(--bad);border-color:color-mix(in srgb,var(--bad) 30%,transparent)}
.review,.indeterminate,.partial{background:var(--warn-bg);color:var(--warn);
border-color:color-mix(in srgb,var(--warn) 30%,transparent)}
.negative,.completed{background:var(--good-bg);color:var(--good);
border-color:color-mix(in srgb,var(--good) 35%,transparent)}
.card{background:var(--card);border:1px solid var(--line);border-radius:14px;box-shadow:var(--shadow);padding:20px;
margin:16px 0}
.banner{border-radius:10px;padding:12px 16px;font-weight:650;border:1px solid;margin:0 0 14px}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(116px,1fr));gap:10px;margin:16px 0 0;padding:0}
.facts div{background:var(--cell);border-radius:10px;padding:10px 14px}
.facts dt{font-size:13px;color:var(--soft)}
.facts dd{margin:0;font-size:22px;font-weight:650;font-variant-numeric:tabular-nums;line-height:1.25}
.index{display:flex;flex-wrap:wrap;gap:8px;margin:16px 0 0;padding:0;list-style:none}
.index a{display:flex;align-items:center;gap:7px;border:1px solid var(--line);border-radius:999px;padding:3px 12px;
font-size:14px;text-decoration:none;color:var(--ink);background:var(--card)}
.index .soft{white-space:nowrap}
.index a:hover{border-color:var(--accent)}
.mark{width:9px;height:9px;border-radius:50%;flex:none;border:0;padding:0}
.mark.positive,.mark.failed{background:var(--bad)}.mark.review,.mark.indeterminate{background:var(--warn)}
.mark.negative{background:var(--good)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:14px 0 0;padding:0;list-style:none;font-size:14px}
.legend li{display:flex;gap:7px;align-items:baseline}
.chip{display:inline-block;width:12px;height:12px;border-radius:3px;background:var(--k);flex:none;
box-shadow:inset 0 0 0 1px rgba(0,0,0,.25)}
.head{display:flex;flex-wrap:wrap;gap:8px 10px;align-items:center;margin-bottom:14px}
.head .soft{margin-left:auto}
.reasons{margin:0 0 14px;padding:0;list-style:none;font-size:15px}
.reasons li{padding:8px 12px;border-left:3px solid var(--warn);background:var(--cell);border-radius:0 8px 8px 0;
margin-bottom:6px}
.reasons.bad li{border-color:var(--bad)}
code{font:12px/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:var(--soft)}
.pair{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:20px;align-items:start}
.view{margin:0;background:#000;border-radius:10px;overflow:hidden;position:relative;position:sticky;top:12px}
.view svg{display:block;width:100%;height:auto;max-height:86vh}
.view figcaption{background:#0b0e11;color:#aeb9c3;font-size:13px;padding:7px 12px;display:flex;gap:14px;
flex-wrap:wrap;align-items:center;justify-content:space-between}
.view label{display:flex;gap:6px;align-items:center;cursor:pointer}
.view input{accent-color:#63c3e4;margin:0}
.store{position:absolute;width:0;height:0;overflow:hidden}
.box rect{fill:transparent;stroke:var(--k);stroke-width:2;vector-effect:non-scaling-stroke}
.box .under{stroke:#000;stroke-opacity:.65;stroke-width:4.5}
.box .twice{stroke:#fff;stroke-dasharray:5 4}
.box.none rect:not(.under){stroke-dasharray:6 4}
.box text{fill:var(--k);font:600 calc(var(--u)*1px)/1 system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;
paint-order:stroke;stroke:#000;stroke-width:calc(var(--u)*.24px);stroke-linejoin:round;stroke-opacity:.85}
.box:focus{outline:none}
.box:hover rect:not(.under),.box:focus rect:not(.under),.box:target rect:not(.under){stroke-width:4;
fill:color-mix(in srgb,var(--k) 22%,transparent)}
.view:has(input:not(:checked)) .box{display:none}
table{border-collapse:separate;border-spacing:0 4px;width:100%;font-variant-numeric:tabular-nums;font-size:14px;
table-layout:fixed}
caption{text-align:left;color:var(--soft);font-size:13px;padding-bottom:4px}
th{font-weight:600;text-align:center;padding:2px 3px;color:var(--soft)}
thead th{font-size:13px}
tbody th{color:var(--ink);padding:0}
td{padding:0 2px;text-align:center}
.c-id{width:42px}.c-labels{width:24%}
tbody th a{display:block;border-radius:7px;background:var(--k);color:#101010;font-weight:700;line-height:34px;
text-decoration:none;margin-right:2px}
.p{position:relative;display:block;height:34px;line-height:34px;border-radius:7px;background:var(--cell);
overflow:hidden;color:var(--soft)}
.p em{position:absolute;left:7px;right:7px;bottom:4px;height:3px;border-radius:2px;background:var(--line)}
.p i{position:absolute;left:0;top:0;height:3px;border-radius:2px;background:var(--soft)}
.p b{position:absolute;top:-2px;height:7px;width:1px;background:var(--ink);opacity:.6}
.p span{position:relative;top:-3px}
.p.hit{background:color-mix(in srgb,var(--k) 30%,var(--card));color:var(--ink);font-weight:700;
box-shadow:inset 0 0 0 1px var(--k)}
.p.hit i{background:var(--k)}
.p.hit em{background:color-mix(in srgb,var(--k) 25%,var(--line))}
.scroll{overflow-x:auto}.tracks{min-width:820px}.tracks .words{width:130px}
.words{text-align:left;padding-left:8px;line-height:1.25;font-size:13px}.words .soft{display:block;font-size:12px}
thead .c-labels{text-align:left;padding-left:8px}
tr:hover .words,tr:focus-within .words{color:var(--accent)}
tr:target th a,tbody tr:hover th a,tr:focus-within th a{box-shadow:0 0 0 2px var(--card),0 0 0 4px var(--k)}
.patches{display:grid;grid-template-columns:repeat(auto-fill,minmax(270px,1fr));gap:10px;margin:0;padding:0;
list-style:none}
.patches li{display:flex;gap:4px;align-items:center}
.patches .n{flex:none;width:26px;text-align:center;font-weight:700;border-radius:6px;background:var(--k);
color:#101010;font-size:13px;line-height:22px}
.patches svg{width:calc((100% - 42px)/4);height:auto;aspect-ratio:1;border-radius:6px;background:#000;display:block}
footer{padding:8px 0 40px;font-size:14px;color:var(--soft)}
footer dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:3px 14px;margin:0}
footer dt{font-weight:600}footer dd{margin:0}
@media (max-width:900px){.pair{grid-template-columns:minmax(0,1fr)}.view{position:static}}
@media (max-width:560px){.wrap{padding:0 12px}.card{padding:14px;border-radius:12px}h1{font-size:22px}
header.top{padding-top:18px}.facts{grid-template-columns:repeat(3,minmax(0,1fr));gap:8px}.facts div{padding:8px 10px}
.facts dd{font-size:18px}.head .soft{margin-left:0;width:100%}
.box text{font-size:calc(var(--u)*1.5px);stroke-width:calc(var(--u)*.34px)}
.slice table,.slice thead,.slice tbody{display:block}
.slice tr{display:grid;grid-template-columns:34px repeat(var(--n),minmax(0,1fr))}
tbody tr{margin-bottom:8px}.c-labels{display:none}td.words{grid-column:1/-1;padding:3px 2px 0 36px}
.words .soft{display:inline;margin-left:6px}
thead th{font-size:11px;padding:2px 0}
td{padding:0 1px}.p{font-size:13px}footer dl{grid-template-columns:minmax(0,1fr)}footer dd{margin-bottom:6px}}
@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--cell:#f1f1f1;
--accent:#000;--bad:#8c1d18;--bad-bg:#fff;--warn:#5c3a00;--warn-bg:#fff;--good:#06563d;--good-bg:#fff;--shadow:none}
body{font-size:11pt}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}.card{break-inside:auto;
border-color:#999}.view{position:static}.view svg{max-height:none}.view label{display:none}.index{display:none}
.pair{grid-template-columns:minmax(0,1fr) minmax(0,1fr)}tr,.patches li,.view,.reasons li{break-inside:avoid}
h2,h3{break-after:avoid}}
)css";

std::string hex(Rgb colour) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "#";
  for (const uint8_t part : {colour.red, colour.green, colour.blue}) {
    text += kDigits[part >> 4];
    text += kDigits[part & 15];
  }
  return text;
}

}  // namespace

std::string page_style(int most_vertebrae) {
  std::string sheet = kSheet + 1;
  for (size_t i = 0; i < kColours; ++i) sheet += ".k" + std::to_string(i) + "{--k:" + hex(colour_at(i)) + "}\n";
  // Row -> box and box -> row. CSS cannot compare attributes, so there is one rule per number.
  for (int id = 1; id <= most_vertebrae; ++id) {
    const std::string v = "[data-v=\"" + std::to_string(id) + "\"]";
    sheet += ".slice:has(tr" + v + ":is(:hover,:focus-within)) .box" + v +
             " rect:not(.under){stroke-width:4;fill:color-mix(in srgb,var(--k) 22%,transparent)}\n";
    sheet += ".slice:has(:is(.box,li)" + v + ":is(:hover,:focus-within,:focus)) tr" + v +
             " th a{box-shadow:0 0 0 2px var(--card),0 0 0 4px var(--k)}\n";
  }
  return sheet;
}

}  // namespace spinert
