"""Style sheet of the report page: calm, printable, without anything fetched from elsewhere."""

__all__ = ["STYLE"]

STYLE = """\
:root { color-scheme: light; }
* { box-sizing: border-box; }
body {
  margin: 0; background: #f4f6f8; color: #1f2933;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: break-word;
}
main { max-width: 960px; margin: 0 auto; padding: 24px 32px 40px; background: #fff; }
h1 { font-size: 22px; margin: 0 0 8px; }
h2 {
  font-size: 13px; margin: 28px 0 8px; padding-bottom: 4px; text-transform: uppercase;
  letter-spacing: .06em; color: #52606d; border-bottom: 1px solid #e3e8ed;
}
h3 { font-size: 14px; margin: 18px 0 4px; }
p { margin: 6px 0; }
ul { margin: 6px 0; padding-left: 20px; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 6px 12px 6px 0; text-align: left; vertical-align: top; border-bottom: 1px solid #eef1f4; }
.facts th { width: 150px; font-weight: 600; color: #52606d; }
.facts td { overflow-wrap: anywhere; }
.reader th { width: 170px; }
.blank { color: #52606d; font-style: italic; }
.parameters th { width: 160px; }
.parameters .value { width: 150px; font-weight: 600; white-space: nowrap; }
.references th:first-child { width: 160px; }
.references .value { width: 170px; font-weight: 600; }
.routes th:first-child { width: 190px; }
.routes td:last-child { width: 270px; }
.routes tr:first-child th, .references tr:first-child th { font-size: 12px; font-weight: 600; color: #52606d; }
.banner { margin: 0; padding: 8px 12px; background: #fff7e0; border: 1px solid #f0dfae; border-radius: 6px; }
.warnings { margin-top: 16px; padding: 4px 16px 8px; border-left: 4px solid #b7791f; background: #fffbf0; }
.warnings h2 { margin-top: 8px; border: 0; }
.strong { font-weight: 600; }
.small, figcaption { font-size: 12.5px; font-weight: 400; color: #52606d; }
.hash { overflow-wrap: anywhere; }
.reason { font-size: 13px; color: #52606d; }
.assumption { font-size: 13.5px; }
.key { margin-right: 14px; white-space: nowrap; }
.key i { display: inline-block; width: 11px; height: 11px; margin-right: 5px; border-radius: 2px; }
.bar { display: flex; height: 14px; margin: 3px 0; overflow: hidden; border-radius: 7px; background: #e3e8ed; }
.bar span { display: block; }
figure { margin: 14px 0; }
img { display: block; width: 100%; height: auto; }
details { margin: 8px 0; padding: 8px 12px; border: 1px solid #e3e8ed; border-radius: 6px; }
summary { cursor: pointer; font-weight: 600; }
footer {
  margin-top: 28px; padding-top: 10px; border-top: 1px solid #e3e8ed; font-size: 12.5px; color: #52606d;
}
.bar span, .key i, .banner, .warnings { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
@media (max-width: 700px) {
  main { padding: 16px; }
  .routes td:last-child, .facts th, .routes th:first-child { width: auto; }
}
@media print {
  @page { margin: 16mm; }
  body { background: #fff; font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  figure, tr, .warnings { break-inside: avoid; }
  .blank { display: inline-block; width: 100%; height: 1.4em; color: transparent; border-bottom: 1px solid #b8c2cc; }
}
"""
