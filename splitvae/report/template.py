"""TODO docstring of report.template."""

from __future__ import annotations

from string import Template

__all__ = ["PAGE"]


PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1c1f23; --soft: #5d6670; --page: #f6f7f8; --card: #fff; --line: #dfe3e7;
  --mark: #fff3cf; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --soft: #9aa4ae; --page: #15181b; --card: #1e2226;
  --line: #343a41; --mark: #4a3d14; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", sans-serif; }
main { max-width: 1150px; margin: 0 auto; padding: 40px 20px 60px; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 12px; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 52px 0 14px; }
h3 { font-size: 1rem; margin: 0; }
p { margin: 0 0 12px; max-width: 75ch; }
.lead { font-size: 1.1rem; }
.note, figcaption p, small, footer { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 12px; margin: 26px 0; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.3; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile small { display: block; line-height: 1.35; }
figure { margin: 0 0 30px; }
figcaption { margin-bottom: 10px; }
figcaption p { margin: 2px 0 0; }
.white { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 16px; }
.white img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)); gap: 16px; }
.wide { overflow-x: auto; }
.card + figure { margin-top: 44px; }
.one th { width: 58%; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 6px 14px 6px 8px; border-bottom: 1px solid var(--line); }
th { font-weight: 500; }
thead th { font-weight: 600; overflow-wrap: break-word; }
.card + .note { margin-top: 10px; }
tr:last-child > * { border-bottom: 0; }
.differs, .differs > * { background: var(--mark); }
code, pre, .settings { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .9rem; }
.settings { columns: 340px; column-gap: 40px; font-size: .85rem; }
.settings div { display: flex; justify-content: space-between; gap: 16px; padding: 3px 6px; break-inside: avoid; }
.settings span:last-child { text-align: right; overflow-wrap: anywhere; }
footer { margin-top: 52px; font-size: .85rem; }
@media (min-resolution: 2dppx) { .white img { image-rendering: pixelated; } }
@media print { body { background: #fff; font-size: 11pt; } main { padding: 0; max-width: none; }
  h2 { break-after: avoid; } figure, .tile, tr { break-inside: avoid; } }
</style>
</head>
<body><main>
$body
<footer>$footer</footer>
</main></body>
</html>
""")
