// evaluation_style.cpp - diagrams, tables of figures and the gallery; light, dark, phone and paper. On a light ground
// the class colours are darkened, or yellow and sky blue could not be seen as thin lines.
#include "diagnosis/evaluation/evaluation_style.h"

namespace spinert::evaluation {

const char* const kEvaluationStyle = R"css(
.facts{grid-template-columns:repeat(auto-fit,minmax(134px,1fr))}.facts dd{overflow-wrap:normal}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr));gap:22px}
.charts figure,.gallery figure{margin:0;min-width:0}
.charts h3{margin-top:0}
.chart{display:block;width:100%;height:auto}
.chart .grid{stroke:var(--line);stroke-width:1}
.chart .frame{fill:none;stroke:var(--soft);stroke-width:1}
.chart text{font:12px/1 system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;fill:var(--soft)}
.chart .tx,.chart .name{text-anchor:middle}.chart .ty{text-anchor:end}
.chart .name{fill:var(--ink);font-size:13px}
.chart polyline{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}
.chart .guide{stroke:var(--soft);stroke-width:1;stroke-dasharray:4 4}
.chart .fit{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:7 4}
.chart circle{fill:color-mix(in srgb,var(--c) 35%,transparent);stroke:var(--c);stroke-width:1.2}
.chart .doubt{fill:none;stroke-dasharray:2 2}
.chart .bar{fill:color-mix(in srgb,var(--c) 75%,transparent);stroke:var(--c)}
.chart,.key{--c:var(--accent)}
.chart [class*="k"],.key [class*="k"]{--c:color-mix(in srgb,var(--k) 72%,#000)}
@media (prefers-color-scheme:dark){.chart [class*="k"],.key [class*="k"]{--c:var(--k)}}
.chart .bad{--c:var(--bad)}.chart .good{--c:var(--accent)}
.d1{stroke-dasharray:9 3}.d2{stroke-dasharray:3 3}.d3{stroke-dasharray:10 3 2 3}.d4{stroke-dasharray:6 2 2 2 2 2}
.d5{stroke-dasharray:14 4}
.key{display:flex;flex-wrap:wrap;gap:3px 16px;margin:6px 0 0;padding:0;list-style:none;font-size:13px;
font-variant-numeric:tabular-nums}
.key li{display:flex;gap:6px;align-items:center}
.key svg{width:28px;height:8px;flex:none}.key line{stroke:var(--c);stroke-width:2.5}
.charts p,.gallery p{font-size:13px;color:var(--soft);margin:6px 0 0}
.scroll{overflow-x:auto;margin:0 0 8px}
table.data{table-layout:auto;border-spacing:0;border-collapse:collapse;width:100%;min-width:max-content}
table.data th,table.data td{padding:6px 10px;text-align:right;border-bottom:1px solid var(--line);line-height:1.3;
overflow-wrap:normal}
table.data thead th{color:var(--soft);vertical-align:bottom}
table.data tbody th{text-align:left;color:var(--ink);white-space:nowrap}
table.data thead th:first-child{text-align:left}
table.data small{display:block;color:var(--soft);font-size:12px;white-space:nowrap}
table.data .average th,table.data .average td{font-weight:650;background:var(--cell)}
table.data .none{color:var(--soft)}
table.data .chip{margin-right:7px;vertical-align:-1px}
table.data .hit{background:color-mix(in srgb,var(--good) 16%,transparent);font-weight:650}
table.data .err{background:color-mix(in srgb,var(--bad) 14%,transparent)}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,210px),1fr));gap:16px}
.gallery svg{display:block;width:100%;height:auto;aspect-ratio:1;background:#000;border-radius:10px}
.gallery .annotated{fill:none;stroke:#fff;stroke-width:2;stroke-dasharray:5 4;vector-effect:non-scaling-stroke}
.gallery .found{fill:none;stroke:var(--k);stroke-width:2.5;vector-effect:non-scaling-stroke}
.gallery .empty{display:flex;align-items:center;justify-content:center;aspect-ratio:1;border-radius:10px;
background:var(--cell);color:var(--soft);font-size:13px}
.gallery strong{display:block;margin-top:7px;font-size:14px}
@media (max-width:560px){.facts{grid-template-columns:repeat(2,minmax(0,1fr))}
table.data{display:table}table.data thead{display:table-header-group}
table.data tbody{display:table-row-group}table.data tr,table.data tbody tr{display:table-row}
table.data th,table.data td{padding:5px 7px}}
@media print{.charts,.gallery{display:grid}.charts figure,.gallery figure{break-inside:avoid}
.scroll{overflow:visible}table.data{font-size:9pt;min-width:0}}
)css";

}  // namespace spinert::evaluation
