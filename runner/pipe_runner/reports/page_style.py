"""The style of a run's page: light and dark by the reader's own setting, for phones and for paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--card:#f6f7f9;--line:#dfe3ea;--text:#1b2333;--dim:#5d687d;--link:#1f5fbf;
--good:#1a7f4b;--bad:#c0262d;--warn:#9a6200;--hold:#6f5bb5;--calm:#6b7689;--now:#1f6fd0;
--good-bg:#e3f4ea;--bad-bg:#fdeaea;--warn-bg:#fdf1dc;--hold-bg:#efebfa;--calm-bg:#eceff3;--now-bg:#e3eefb;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media screen and (prefers-color-scheme:dark){:root{--bg:#11151c;--card:#191f29;--line:#2b3443;--text:#e3e8f0;
--dim:#97a3b7;
--link:#7fb2ff;--good:#4cc38a;--bad:#ff7b7b;--warn:#e9b44c;--hold:#b3a1f2;--calm:#96a1b4;--now:#6fb0ff;
--good-bg:#14301f;--bad-bg:#3b181b;--warn-bg:#35290f;--hold-bg:#26203f;--calm-bg:#222936;--now-bg:#152a45}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1160px;margin:0 auto;padding:1.5rem 1.25rem 4rem}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
code,pre,samp{font-family:var(--mono);font-size:.92em}
pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.6rem .75rem;margin:.3rem 0 .8rem;
max-height:26rem;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere;font-size:13px;line-height:1.45;tab-size:4}
h1{font-size:1.55rem;line-height:1.25;margin:0;overflow-wrap:anywhere}
h2{font-size:1.12rem;margin:2.2rem 0 .7rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:1.3rem 0 .5rem}summary h3{display:inline-block}h3 small{color:var(--dim);font-weight:400}
h4{font-size:.8rem;margin:.9rem 0 .2rem;color:var(--dim);text-transform:uppercase;letter-spacing:.04em}
h4 .dim{text-transform:none;letter-spacing:0;font-weight:400}
p{margin:.35rem 0}.dim,.note{color:var(--dim)}.note{font-size:.9rem}
.scroll{overflow-x:auto;max-width:100%}
header{display:flex;flex-wrap:wrap;gap:.4rem 1rem;align-items:center;justify-content:space-between}
header .sub{flex-basis:100%;color:var(--dim);overflow-wrap:anywhere;margin:0}
.badge{display:inline-block;border-radius:99px;padding:.2rem .85rem;font-weight:600;white-space:nowrap}
dl.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.7rem 1.2rem;margin:1.2rem 0 0;
padding:.9rem 1.1rem;background:var(--card);border:1px solid var(--line);border-radius:10px}
.facts div{min-width:0}.facts dt{color:var(--dim);font-size:.8rem}
.facts dd{margin:0;font-weight:600;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.share{display:flex;height:10px;border-radius:5px;overflow:hidden;margin:1.2rem 0 .6rem;gap:2px;background:var(--bg)}
.share i{display:block;min-width:3px;background:var(--c)}
ul.counts{list-style:none;display:flex;flex-wrap:wrap;gap:.4rem .5rem;padding:0;margin:0}
.counts a{display:inline-block;border:1px solid var(--line);border-radius:99px;padding:.1rem .7rem;color:inherit}
.s-succeeded,.s-cached{--c:var(--good);--b:var(--good-bg)}.s-failed{--c:var(--bad);--b:var(--bad-bg)}
.s-blocked{--c:var(--warn);--b:var(--warn-bg)}.s-unknown,.s-waiting{--c:var(--hold);--b:var(--hold-bg)}
.s-skipped,.s-pending,.s-cancelled{--c:var(--calm);--b:var(--calm-bg)}
.s-running,.s-queued{--c:var(--now);--b:var(--now-bg)}
.s-tolerated{--c:var(--warn);--b:var(--warn-bg)}
.badge{background:var(--b);color:var(--c);border:1px solid var(--c)}
.mark{color:var(--c);font-weight:700;display:inline-block;min-width:1.1em;text-align:center}
.error{background:var(--bad-bg);border-left:3px solid var(--bad);padding:.45rem .7rem;border-radius:0 6px 6px 0;
overflow-wrap:anywhere;white-space:pre-wrap}.error b{color:var(--bad);margin-right:.3rem}
details.node{border:1px solid var(--line);border-left:4px solid var(--c);border-radius:6px;margin:.4rem 0;
background:var(--bg)}
details.node>summary{display:flex;gap:.6rem;align-items:baseline;padding:.35rem .7rem;cursor:pointer;list-style:none}
summary::-webkit-details-marker{display:none}
.node>summary:hover{background:var(--card)}
.node .id{font-weight:600;overflow-wrap:anywhere}
.node .brief{color:var(--dim);flex:1;min-width:0;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;
font-size:.9rem}
.node .meta{color:var(--dim);white-space:nowrap;font-size:.87rem;font-variant-numeric:tabular-nums}
.node .body{padding:.2rem .9rem .6rem;border-top:1px solid var(--line);scroll-margin-top:4rem}
.node .body:target,tr:target{box-shadow:inset 0 0 0 2px var(--link)}
details.group>summary,details.fold>summary{cursor:pointer}
details.group>summary>h3:after{content:" — show";color:var(--link);font-weight:400;font-size:.9rem}
details.group[open]>summary>h3:after{content:" — hide"}
table{border-collapse:collapse;font-size:.92rem}
th{text-align:left;color:var(--dim);font-weight:500;font-size:.82rem}
th,td{padding:.2rem .9rem .2rem 0;vertical-align:top}
tbody tr+tr td{border-top:1px solid var(--line)}
td{font-variant-numeric:tabular-nums}.values td,.tries td:last-child{overflow-wrap:anywhere}
table.many{width:100%}.tries td:nth-child(-n+4){white-space:nowrap}
.many td:last-child{color:var(--dim);width:60%;overflow-wrap:anywhere}
.graph svg{display:block;margin:0 auto}.graph{max-height:44rem;overflow:auto}.dense .edge{stroke-opacity:.16}
.dense .tip{fill-opacity:.25}.legend span{margin-right:.5rem}.legend .mark{margin:0}
ul.failures{padding:0;margin:0;list-style:none}.failures li{border-left:3px solid var(--bad);padding:.1rem .7rem;
margin:.45rem 0;
overflow-wrap:anywhere}.failures samp{color:var(--dim);white-space:pre-wrap}
.graph,.times{border:1px solid var(--line);border-radius:10px;padding:.5rem;background:var(--bg)}
.bg{fill:none}.box{fill:var(--b,var(--card));stroke:var(--c,var(--calm));stroke-width:1.3}.cond{stroke-dasharray:5 3}
.box.s-failed{stroke-width:2.4}
.edge{fill:none;stroke:var(--dim);stroke-opacity:.45;stroke-width:1.1}.maybe{stroke-dasharray:5 4}
.tip{fill:var(--dim);fill-opacity:.6}.label{fill:var(--text);font:13px var(--mono);text-anchor:middle}
.item{fill:var(--c,var(--dim));font:11px var(--mono);text-anchor:middle}
.phase{fill:var(--dim);font:600 13px system-ui,sans-serif}
.graph a:hover .label{text-decoration:underline}.graph a:hover .box{stroke-width:2.6}
.tl{position:relative;min-width:34rem;padding:1.5rem 0 .2rem;--who:10rem}.tl.lanes,.tl.profile{--who:0px}
.tl .row{display:flex;align-items:center;height:1.35rem;position:relative}
.tl .who{flex:0 0 var(--who);padding-right:.6rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;
font:12.5px var(--mono);color:var(--text)}
.tl .track{flex:1;position:relative;height:100%;min-width:0;overflow:hidden}
.ticks{position:absolute;left:var(--who);right:0;top:0;bottom:0}
.ticks i{position:absolute;top:0;bottom:0;border-left:1px solid var(--line)}
.ticks b{font:12px/1 system-ui,sans-serif;color:var(--dim);padding-left:.25rem;white-space:nowrap}
.bar{position:absolute;top:.14rem;bottom:.14rem;min-width:3px;border-radius:3px;background:var(--b);
border:1px solid var(--c);color:var(--text);font:11px/1rem var(--mono);padding:0 .2rem;overflow:hidden;
white-space:nowrap}
.tl:not(.lanes) .bar{background:var(--c);color:var(--bg)}
.bar.s-failed{background-image:repeating-linear-gradient(135deg,transparent 0 4px,rgba(128,128,128,.35) 4px 7px)}
.bar.s-cancelled,.bar.s-running{border-style:dashed}
.wait{position:absolute;top:50%;border-top:2px dotted var(--calm)}
.profile svg{display:block;width:100%;height:8rem;position:relative}.area{fill:var(--now);fill-opacity:.45}
.flag{position:absolute;color:var(--bad);font-size:12px;transform:translateX(-50%)}
footer{margin-top:3rem;color:var(--dim);font-size:.85rem}
@media (max-width:640px){main{padding:1rem .8rem 3rem}h1{font-size:1.3rem}.tl{--who:6.5rem;min-width:26rem}
details.node>summary{flex-wrap:wrap;gap:.1rem .5rem}.node .brief{flex-basis:100%;order:9;white-space:normal}
.node .meta{margin-left:auto}}
@media print{:root{color-scheme:light}body{font-size:11px}main{max-width:none;padding:0}a{color:inherit}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
pre{max-height:none;font-size:10px}details.node,tr,.tl .row{break-inside:avoid}h2,h3,h4{break-after:avoid}
.scroll,.graph{overflow:visible;max-height:none}.graph svg{max-width:100%;max-height:23cm;width:auto;height:auto}
.graph{break-inside:avoid}.tl{min-width:0}
details.group:not([open]){display:none}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
"""
