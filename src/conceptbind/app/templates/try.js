"use strict";
const facts = JSON.parse(document.body.dataset.facts);
const key = new URLSearchParams(location.search).get("key") || "";
const byId = name => document.getElementById(name);
const told = byId("told");

/* Text alone goes into the page: a caption or a name may hold markup. */
const element = (name, properties = {}, ...children) => {
  const made = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) {
    if (property in made && property !== "role" && !property.startsWith("aria")) made[property] = value;
    else made.setAttribute(property, value);
  }
  made.append(...children);
  return made;
};
const show = (node, shown) => { node.hidden = !shown; };
const number = value => value.toFixed(3);

/* One request at a time for each question; of several, the last is asked. */
const ask = async (path, body, headers = {}) => {
  const plain = typeof body === "object" && !(body instanceof Blob);
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      headers: {"x-key": key, ...(plain ? {"content-type": "application/json"} : {}), ...headers},
      body: plain ? JSON.stringify(body) : body,
    });
  } catch {
    throw new Error("The page cannot reach its server. Start conceptbind try again.");
  }
  const kind = answer.headers.get("content-type") || "";
  const content = kind.includes("json") ? await answer.json() : {error: await answer.text()};
  if (!answer.ok) throw Object.assign(new Error(content.error), {gone: answer.status === 409});
  return content;
};
const lastOf = work => {
  let running = false, waiting = null;
  return async (...given) => {
    if (running) { waiting = given; return; }
    running = true;
    try { await work(...given); } finally {
      running = false;
      if (waiting) { const next = waiting; waiting = null; lastOf.again(work, next); }
    }
  };
};

/* What is compared: objects that were placed, a file, or a text. */
const state = {objects: facts.begun.map(one => ({...one})), file: null, id: null, python: ""};
const cells = 7;
const board = byId("board"), grid = byId("cells"), picture = byId("picture");

const drawObjects = () => {
  const list = byId("objects");
  list.replaceChildren(...state.objects.map((one, place) => {
    const name = `${one.color} ${one.shape}`;
    const remove = element("button", {type: "button", "aria-label": `Remove the ${name}`}, "Remove");
    remove.addEventListener("click", () => {
      state.objects.splice(place, 1);
      changed();
      const left = list.querySelectorAll("button");
      (left[Math.min(place, left.length - 1)] || grid.querySelector("[tabindex='0']")).focus();
    });
    return element("li", {}, element("span", {}, name), remove);
  }));
};

const place = (x, y) => {
  const radius = Number(byId("size").value), inside = value => Math.min(1 - radius, Math.max(radius, value));
  if (state.file) { state.file = null; state.objects = []; byId("file").value = ""; }
  state.objects.push({color: byId("colour").value, shape: byId("shape").value, x: inside(x), y: inside(y), radius});
  changed();
};

const buildBoard = () => {
  const names = Array.from({length: cells * cells}, (_, at) =>
    `row ${Math.floor(at / cells) + 1}, column ${at % cells + 1}`);
  grid.append(...names.map((name, at) => element("button", {
    type: "button", "aria-label": name, tabIndex: at === Math.floor(cells * cells / 2) ? 0 : -1,
  })));
  const all = [...grid.children];
  grid.addEventListener("click", event => {
    const at = all.indexOf(event.target);
    if (at < 0) return;
    const box = grid.getBoundingClientRect();
    if (event.detail) place((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    else place((at % cells + .5) / cells, (Math.floor(at / cells) + .5) / cells); /* by keyboard */
  });
  const steps = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  grid.addEventListener("keydown", event => {
    const step = steps[event.key], at = all.indexOf(event.target);
    if (!step || at < 0) return;
    event.preventDefault();
    const column = Math.min(cells - 1, Math.max(0, at % cells + step[0]));
    const row = Math.min(cells - 1, Math.max(0, Math.floor(at / cells) + step[1]));
    all.forEach((one, other) => { one.tabIndex = other === row * cells + column ? 0 : -1; });
    all[row * cells + column].focus();
  });
};

const send = async () => {
  if (!facts.sees) return (await ask("/text", {text: byId("text").value})).id;
  let answer;
  if (state.file) {
    const name = encodeURIComponent(state.file.name.slice(0, 200));
    answer = await ask("/picture", state.file, {"x-name": name});
    byId("pictured").textContent = `${answer.name}, ${answer.size}`;
  } else {
    answer = await ask("/draw", {objects: state.objects});
    byId("pictured").textContent = "";
  }
  const names = state.objects.map(one => `${one.color} ${one.shape}`).join(", ");
  picture.src = answer.picture;
  picture.alt = state.file ? `The picture ${answer.name}` : `A drawing: ${names || "nothing"}`;
  show(picture, true);
  return answer.id;
};

const captions = () => [byId("caption").value, ...byId("others").value.split("\n")].filter(text => text.trim());

const fill = (table, head, rows) => {
  table.tHead.replaceChildren(element("tr", {}, ...head.map(text => element("th", {scope: "col"}, text))));
  table.tBodies[0].replaceChildren(...rows);
};

const roles = {caption: "yours", swap: "swap", other: "another"};
const bars = lines => {
  const highest = Math.max(1e-9, ...lines.flatMap(line => [line.before, line.after ?? 0]));
  const cell = (label, value, kind) => {
    const bar = element("span", {});
    bar.style.width = `${Math.max(0, 100 * value / highest)}%`;
    return element("td", {className: `bar ${kind}`, "data-label": label}, number(value), bar);
  };
  const rows = lines.map(line => element("tr", {className: line.role},
    element("th", {scope: "row"}, element("span", {className: "tag role"}, roles[line.role]), " ", line.caption,
      element("small", {}, [line.role === "other" ? "" : line.wording, line.note].filter(Boolean).join("; "))),
    cell(facts.repaired ? "before" : "cosine", line.before, "before"),
    ...(line.after === null ? [] : [cell("after", line.after, "after")])));
  fill(byId("bars").querySelector("table"), ["caption", ...(facts.repaired ? ["before", "after the repair"] : ["cosine"])], rows);
  show(byId("bars"), lines.length > 0);
};

const blanks = found => {
  const rows = found.map(one => element("tr", {},
    element("th", {scope: "row"}, one.noun),
    element("td", {"data-label": "repair"}, one.repaired ? "after" : "before"),
    element("td", {"data-label": "written"}, `${one.written} ${number(one.own)}`),
    element("td", {"data-label": "best other"}, `${one.best} ${number(one.other)}`),
    element("td", {"data-label": "first", className: one.wrong ? "missed" : ""}, one.wrong ? `not ${one.written}` : one.written)));
  fill(byId("blanks").querySelector("table"), ["noun", "repair", "written", "best other", "first"], rows);
  show(byId("blanks"), found.length > 0);
};

const fail = error => {
  byId("sentences").replaceChildren(element("p", {className: "error"}, error.message));
  bars([]); blanks([]);
  byId("notes").replaceChildren();
  show(byId("recipe"), false);
  state.python = "";
};

const answer = lastOf(async again => {
  const area = byId("answer");
  area.setAttribute("aria-busy", "true");
  try {
    if (state.id === null || again) state.id = await send();
    const typed = captions();
    const found = await ask("/score", {id: state.id, captions: typed});
    const trial = found.trial;
    byId("sentences").replaceChildren(...trial.sentences.map(text => element("p", {}, text)));
    bars(trial.lines); blanks(trial.blanks);
    byId("notes").replaceChildren(...[...trial.refused, ...trial.notes].map(text => element("li", {}, text)));
    state.python = found.python;
    byId("python").textContent = found.python;
    show(byId("recipe"), Boolean(found.python));
  } catch (error) {
    if (error.gone) { state.id = null; setTimeout(() => answer(true)); }
    else fail(error);
  }
  area.setAttribute("aria-busy", "false");
});
lastOf.again = (_, given) => setTimeout(() => answer(...given));

const changed = () => { drawObjects(); state.id = null; answer(); };
const soon = (work, after = 150) => { let timer; return () => { clearTimeout(timer); timer = setTimeout(work, after); }; };

if (facts.sees) {
  buildBoard();
  drawObjects();
  byId("clear").addEventListener("click", () => { state.file = null; byId("file").value = ""; state.objects = []; changed(); });
  const take = file => { if (file) { state.file = file; state.objects = []; changed(); } };
  byId("file").addEventListener("change", event => take(event.target.files[0]));
  document.addEventListener("dragover", event => { event.preventDefault(); board.classList.add("over"); });
  document.addEventListener("dragleave", () => board.classList.remove("over"));
  document.addEventListener("drop", event => {
    event.preventDefault();
    board.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
} else {
  byId("text").addEventListener("input", soon(() => { state.id = null; answer(); }));
}
for (const name of ["caption", "others"]) byId(name).addEventListener("input", soon(() => answer()));

/* Share: the answer as it stands, without anything that runs or is fetched. */
const snapshot = () => {
  const shared = byId("shared").cloneNode(true);
  shared.querySelectorAll("[hidden]").forEach(node => node.remove());
  const page = document.implementation.createHTMLDocument(document.title);
  page.documentElement.lang = "en";
  const policy = element("meta", {"http-equiv": "Content-Security-Policy", content: "default-src 'none'; style-src 'unsafe-inline'; img-src data:"});
  const main = element("main", {}, element("h1", {}, document.title));
  if (facts.sees && !picture.hidden) main.append(element("img", {src: picture.src, alt: picture.alt, className: "kept"}));
  if (!facts.sees) main.append(element("p", {}, `Compared with: ${byId("text").value}`));
  main.append(shared, element("h2", {}, "Python that does the same"), element("pre", {tabIndex: 0}, state.python));
  page.head.append(element("meta", {charset: "utf-8"}), policy,
    element("meta", {name: "viewport", content: "width=device-width, initial-scale=1"}),
    element("meta", {name: "color-scheme", content: "light dark"}), element("title", {}, document.title),
    document.querySelector("style").cloneNode(true));
  page.head.querySelectorAll("title")[0].remove();
  page.body.className = "try";
  page.body.append(main);
  return `<!doctype html>\n${page.documentElement.outerHTML}\n`;
};
byId("save").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([snapshot()], {type: "text/html"}));
  element("a", {href: address, download: "conceptbind-try.html"}).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
  told.textContent = "Saved as conceptbind-try.html.";
});
byId("copy").addEventListener("click", async () => {
  byId("recipe").open = true;
  try {
    await navigator.clipboard.writeText(state.python);
    told.textContent = "Python copied.";
  } catch {
    getSelection().selectAllChildren(byId("python"));
    told.textContent = "The Python is selected: copy it with the keyboard.";
  }
});
answer();
