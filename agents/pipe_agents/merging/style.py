"""The style of the page: light and dark by the reader's own setting, for phones and for paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--card:#f6f7f9;--line:#dfe3ea;--text:#1b2333;--dim:#566176;--link:#1f5fbf;
--critical:#a3122a;--high:#b3420e;--medium:#8a5a00;--low:#4b5f86;--info:#566176;--good:#1a7f4b;
--critical-bg:#fde7ea;--high-bg:#fdecdf;--medium-bg:#fbf1d9;--low-bg:#e9eef7;--info-bg:#eceff3;--good-bg:#e3f4ea;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media screen and (prefers-color-scheme:dark){:root{--bg:#11151c;--card:#191f29;--line:#2b3443;--text:#e3e8f0;
--dim:#9aa6ba;--link:#7fb2ff;
--critical:#ff8593;--high:#ff9f6b;--medium:#e9b44c;--low:#9db7e8;--info:#9aa6ba;--good:#4cc38a;
--critical-bg:#43141c;--high-bg:#3d2113;--medium-bg:#35290f;--low-bg:#1c273b;--info-bg:#222936;--good-bg:#14301f}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--text);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:62rem;margin:0 auto;padding:1.5rem 1.25rem 4rem}
a{color:var(--link)}
code{font-family:var(--mono);font-size:.9em;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.4rem 0 .8rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:1.4rem 0 .5rem;overflow-wrap:anywhere}
p{margin:.35rem 0;overflow-wrap:anywhere}.dim{color:var(--dim)}
.verdict{margin:1rem 0 0;padding:.8rem 1.1rem;border:1px solid var(--c);border-left:6px solid var(--c);
background:var(--b);border-radius:8px;font-size:1.15rem;font-weight:600}
.verdict small{display:block;font-weight:400;font-size:.9rem;color:var(--text)}
.s-critical{--c:var(--critical);--b:var(--critical-bg)}.s-high{--c:var(--high);--b:var(--high-bg)}
.s-medium{--c:var(--medium);--b:var(--medium-bg)}.s-low{--c:var(--low);--b:var(--low-bg)}
.s-info{--c:var(--info);--b:var(--info-bg)}.s-good{--c:var(--good);--b:var(--good-bg)}
.word{display:inline-block;min-width:4.9em;text-align:center;text-transform:uppercase;letter-spacing:.04em;
font-size:.75rem;font-weight:700;color:var(--c);background:var(--b);border:1px solid var(--c);border-radius:4px;
padding:.05rem .4rem;margin-right:.5rem}
ol.cards,ul.cards{list-style:none;margin:0;padding:0}
.cards>li{border:1px solid var(--line);border-left:5px solid var(--c,var(--line));border-radius:8px;
padding:.6rem .9rem;margin:.55rem 0;background:var(--card)}
.cards .subject{font-weight:600}
.line code{color:var(--dim);font-size:.82rem}
.todo{margin-top:.4rem;padding-left:.8rem;border-left:3px solid var(--line)}
.todo b,.cards b{font-weight:600}
.refs{font-size:.9rem;color:var(--dim)}
table{border-collapse:collapse;width:100%;font-size:.93rem;margin:.3rem 0}
th{text-align:left;font-weight:500;color:var(--dim);width:38%;padding:.2rem .9rem .2rem 0;vertical-align:top;
overflow-wrap:anywhere}
td{padding:.2rem 0;vertical-align:top;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
tr+tr>*{border-top:1px solid var(--line)}
section.one{margin:1rem 0;scroll-margin-top:1rem}section.one:target{outline:2px solid var(--link);outline-offset:6px}
blockquote{margin:.6rem 0;padding:.5rem .9rem;border-left:4px solid var(--line);background:var(--card)}
.doubt{color:var(--high)}
details{border:1px solid var(--line);border-radius:8px;margin:.5rem 0;padding:.4rem .9rem;background:var(--card)}
summary{cursor:pointer;font-weight:600;overflow-wrap:anywhere}summary span{font-weight:400;color:var(--dim)}
nav{margin:1rem 0 0;font-size:.93rem}nav a{margin-right:1rem;white-space:nowrap}
footer{margin-top:3rem;color:var(--dim);font-size:.88rem}
@media (max-width:640px){main{padding:1rem .8rem 3rem}h1{font-size:1.35rem}th{width:44%}}
@media print{:root{color-scheme:light}html{font-size:11px}main{max-width:none;padding:0}nav{display:none}
a{color:inherit;text-decoration:none}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
.cards>li,section.one,tr{break-inside:avoid}h2,h3{break-after:avoid}}
"""
