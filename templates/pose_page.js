// The script of pose_page.html.
"use strict";
const S = JSON.parse(document.getElementById("settings").textContent), $ = id => document.getElementById(id);
const NS = "http://www.w3.org/2000/svg", view = $("view"), world = $("world");
function set(e, attributes) { for (const name in attributes) e.setAttribute(name, attributes[name]); return e; }
function make(name, parent, attributes = {}) {
  const e = set(document.createElementNS(NS, name), attributes); parent.append(e); return e;
}
const side = j => S.joints[j].startsWith("left") ? "own-right" : S.joints[j].startsWith("right") ? "own-left" : "middle";
const colour = j => `var(--${side(j)})`;
const partner = j => S.joints.indexOf(S.joints[j].replace(/left|right/, s => s === "left" ? "right" : "left"));
// names with the person's own sides: Penn Action's left is the own right side (docs/published_system.md, "Sides")
const label = j => S.joints[j].replace(/(left|right)_/, (_, s) => s === "left" ? "own right " : "own left ");
const start = S.pose, copyOf = pose => pose.map(p => p.slice());
let pose = copyOf(start), past = [], future = [], chosen = 0, wholeFigure = false, scale = 1, tx = 0, ty = 0;

for (const name of ["photo", "mask"]) {
  if (S[name]) set($(name), { href: S[name], width: S.width, height: S.height, preserveAspectRatio: "none" });
  else { $(name).remove(); $("masked").remove(); }
}
document.body.classList.toggle("framed", parent !== window);      // photo/web reads the pose itself: no files there
$("save").textContent = `Save ${S.saved}`;
const lines = S.limbs.map(([a, b]) => {
  const halo = make("line", $("limbs"), { class: "limb halo" }), line = make("line", $("limbs"), { class: "limb" });
  line.style.stroke = ["middle", side(b)].includes(side(a)) ? colour(b) : "var(--middle)";
  return { a, b, halo, line };
});
const dots = S.joints.map((name, j) => {
  const g = make("g", $("dots"), { class: "joint", tabindex: 0, "data-joint": j, "aria-label": label(j) });
  const d = { g, grip: make("circle", g, { class: "grip" }), ring: make("circle", g, { class: "ring" }),
    dot: make("circle", g, { class: "dot" }), tag: make("text", g, { class: "tag" }) };
  d.dot.style.fill = colour(j); make("title", g).textContent = `${label(j)} (Penn Action: ${name})`;
  g.addEventListener("focus", () => choose(j));
  return d;
});
const items = S.joints.map((name, j) => {
  const li = document.createElement("li"), l = document.createElement("label"), box = document.createElement("input"),
    swatch = document.createElement("span");
  box.type = "checkbox"; box.id = `visible-${j}`; swatch.className = "swatch"; swatch.style.background = colour(j);
  l.append(box, swatch, label(j).replace(/own (left|right) /, "")); li.append(l); $("list").append(li);
  box.setAttribute("aria-label", `${label(j)} is visible`);
  box.addEventListener("change", () => toggle(j)); l.addEventListener("pointerenter", () => choose(j));
  return { li, box };
});

const round = v => Math.round(v * 100) / 100, inside = p => p[0] >= 0 && p[1] >= 0 && p[0] <= S.width && p[1] <= S.height;
const clamp = (v, side) => Math.min(2 * side, Math.max(-side, v));
const put = (j, x, y) => { const p = pose[j]; p[0] = round(clamp(x, S.width)); p[1] = round(clamp(y, S.height));
  if (!inside(p)) p[2] = false; };
const text = () => "[" + pose.map(p => `[${p[0]}, ${p[1]}, ${p[2]}]`).join(",\n ") + "]";

function draw() {
  const px = 1 / scale;                                // sizes on the screen do not depend on the zoom
  world.setAttribute("transform", `translate(${tx} ${ty}) scale(${scale})`);
  for (const { a, b, halo, line } of lines) for (const [e, wide] of [[halo, 6], [line, 3.2]]) {
    set(e, { x1: pose[a][0], y1: pose[a][1], x2: pose[b][0], y2: pose[b][1], "stroke-width": wide * px,
      "stroke-dasharray": pose[a][2] && pose[b][2] ? "none" : `${5 * px} ${7 * px}` });
  }
  dots.forEach((d, j) => {
    const [x, y, seen] = pose[j];
    set(d.g, { transform: `translate(${x} ${y})`, class: `joint${seen ? "" : " hidden"}${j === chosen ? " chosen" : ""}` });
    set(d.grip, { r: 20 * px }); set(d.ring, { r: 12 * px, "stroke-width": 2 * px });
    set(d.dot, { r: 7 * px, "stroke-width": (seen ? 1.5 : 2.5) * px }); d.dot.style.stroke = seen ? "" : colour(j);
    set(d.tag, { y: -18 * px, "font-size": 13 * px, "stroke-width": 3 * px }); d.tag.textContent = j === chosen ? label(j) : "";
    items[j].box.checked = seen; items[j].box.disabled = !inside(pose[j]); items[j].li.className = j === chosen ? "chosen" : "";
  });
  $("undo").disabled = !past.length; $("redo").disabled = !future.length; $("json").value = text();
}
function choose(j) { if (chosen !== j) { chosen = j; draw(); } }
// the history holds the pose before each change
function remember(before) { if (JSON.stringify(before) !== JSON.stringify(pose)) { past.push(before); future = []; } draw(); }
function change(work) { const before = copyOf(pose); work(); remember(before); }
function toggle(j) { change(() => { pose[j][2] = !pose[j][2] && inside(pose[j]); }); }
function undo() { if (past.length) { future.push(pose); pose = past.pop(); draw(); } }
function redo() { if (future.length) { past.push(pose); pose = future.pop(); draw(); } }
function zoom(factor, x, y) {
  const next = Math.min(60, Math.max(fitted() / 3, scale * factor));
  tx = x - (x - tx) * next / scale; ty = y - (y - ty) * next / scale; scale = next; draw();
}
const fitted = () => Math.min(view.clientWidth / S.width, view.clientHeight / S.height) * 0.94;
function fit() {
  scale = fitted(); tx = (view.clientWidth - S.width * scale) / 2; ty = (view.clientHeight - S.height * scale) / 2; draw();
}
const middle = factor => zoom(factor, view.clientWidth / 2, view.clientHeight / 2);

// one pointer drags a joint, the figure or the photo; two pointers zoom
const pointers = new Map(); let drag = null, before = null;
const at = e => { const r = view.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top]; };
const nearest = ([x, y]) => {                           // the selected joint if it is close, else the closest one
  const far = pose.map(p => Math.hypot(p[0] * scale + tx - x, p[1] * scale + ty - y)), best = far.indexOf(Math.min(...far));
  return far[chosen] <= 9 ? chosen : far[best] <= 20 ? best : null;
};
function settle() { if (before) remember(before); before = null; drag = null; view.classList.remove("panning"); }
view.addEventListener("pointerdown", e => {
  if (e.button) return;
  try { view.setPointerCapture(e.pointerId); } catch { /* the pointer is gone already */ }
  pointers.set(e.pointerId, at(e));
  if (pointers.size > 1) { settle(); return; }
  const joint = nearest(at(e)); drag = { joint, whole: wholeFigure || e.shiftKey };
  if (joint !== null) chosen = joint;
  if (joint !== null || drag.whole) before = copyOf(pose); else view.classList.add("panning");
  draw();
});
view.addEventListener("pointermove", e => {
  if (!pointers.has(e.pointerId)) return;
  const old = pointers.get(e.pointerId), now = at(e); pointers.set(e.pointerId, now);
  const dx = (now[0] - old[0]) / scale, dy = (now[1] - old[1]) / scale;
  if (pointers.size === 2) {
    const [other] = [...pointers].filter(([id]) => id !== e.pointerId).map(([, p]) => p);
    const gap = p => Math.hypot(p[0] - other[0], p[1] - other[1]);
    tx += (now[0] - old[0]) / 2; ty += (now[1] - old[1]) / 2;
    zoom(gap(now) / Math.max(1, gap(old)), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2); return;
  }
  if (!drag) return;
  if (drag.whole) pose.forEach((p, j) => put(j, p[0] + dx, p[1] + dy));
  else if (drag.joint !== null) put(drag.joint, pose[drag.joint][0] + dx, pose[drag.joint][1] + dy);
  else { tx += now[0] - old[0]; ty += now[1] - old[1]; }
  draw();
});
for (const kind of ["pointerup", "pointercancel"]) {
  view.addEventListener(kind, e => { if (pointers.delete(e.pointerId)) settle(); });
}
// listen at the view, not at the joints: the view has captured the pointer
view.addEventListener("dblclick", e => { const joint = nearest(at(e)); if (joint !== null) toggle(joint); });
view.addEventListener("wheel", e => {
  e.preventDefault(); zoom(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0015)), ...at(e));
}, { passive: false });
addEventListener("keydown", e => {
  if (e.target === $("json")) return;
  const key = e.key.toLowerCase(), arrows = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };
  if ((e.ctrlKey || e.metaKey) && (key === "y" || (key === "z" && e.shiftKey))) redo();
  else if ((e.ctrlKey || e.metaKey) && key === "z") undo();
  else if (e.ctrlKey || e.metaKey || e.altKey) return;
  else if (arrows[key]) {
    const step = (e.shiftKey ? 10 : 1) / scale, [x, y] = pose[chosen], [dx, dy] = arrows[key];
    change(() => put(chosen, x + dx * step, y + dy * step));
  } else if (key === "v") toggle(chosen);
  else if (key === "+" || key === "=") middle(1.25);
  else if (key === "-") middle(0.8);
  else if (key === "0") fit();
  else return;
  e.preventDefault();
});
$("undo").onclick = undo; $("redo").onclick = redo;
$("fit").onclick = fit; $("zoom-in").onclick = () => middle(1.25); $("zoom-out").onclick = () => middle(0.8);
$("reset").onclick = () => change(() => { pose = copyOf(start); });
$("swap").onclick = () => change(() => { pose = pose.map((p, j) => pose[partner(j)].slice()); });
$("whole").onclick = () => {
  wholeFigure = !wholeFigure; set($("whole"), { "aria-pressed": wholeFigure });
  $("whole").style.borderColor = wholeFigure ? "var(--accent)" : "";
};
$("save").onclick = () => {
  const link = document.createElement("a"), data = new Blob([text() + "\n"], { type: "application/json" });
  link.href = URL.createObjectURL(data); link.download = S.saved; link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
$("copy").onclick = async () => {
  // a page opened from disk may have no access to the clipboard
  try { await navigator.clipboard.writeText(text()); } catch { $("json").select(); document.execCommand("copy"); }
  $("copy").textContent = "copied"; setTimeout(() => { $("copy").textContent = "copy the text"; }, 1500);
};
// until the user first touches the page, the photo follows the window's size
let touched = false;
for (const kind of ["pointerdown", "wheel"]) view.addEventListener(kind, () => { touched = true; });
new ResizeObserver(() => { if (!touched) fit(); }).observe(view);
fit();
