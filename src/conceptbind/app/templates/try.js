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
let asking = 0; /* requests that are on their way */
const ask = async (...given) => {
  asking += 1;
  try { return await fetched(...given); } finally { asking -= 1; }
};
const fetched = async (path, body, headers = {}) => {
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
  const run = async (...given) => {
    if (running) { waiting = given; return; }
    running = true;
    try { await work(...given); } finally { running = false; }
    if (waiting) { const next = waiting; waiting = null; await run(...next); }
  };
  return run;
};
/* An answer into an area of the page, or the reason why there is none. */
const into = (area, work, fail) => lastOf(async (...given) => {
  byId(area).setAttribute("aria-busy", "true");
  try { await work(...given); } catch (error) { fail(error, ...given); }
  byId(area).setAttribute("aria-busy", String(area === "answer" && state.typing));
});

/* What is compared: objects that were placed, a file, or a text. */
const state = {objects: facts.begun.map(one => ({...one})), file: null, id: null, away: "", text: "", typing: false};

/* The parts of the page; what is saved and copied is of the one that is shown. */
const pythons = {try: "", search: "", explore: ""};
let view = "try";
const sayPython = (name, python) => {
  pythons[name] = python;
  if (name !== view) return;
  byId("python").textContent = python;
  show(byId("recipe"), Boolean(python));
  byId("copy").disabled = !python;
};
const choose = name => {
  view = name;
  document.querySelectorAll(".view").forEach(part => show(part, part.id === `view-${name}`));
  document.querySelectorAll("[data-view]").forEach(button => button.setAttribute("aria-pressed", String(button.dataset.view === name)));
  sayPython(name, pythons[name]);
  told.textContent = "";
};
document.querySelectorAll("[data-view]").forEach(button => button.addEventListener("click", () => choose(button.dataset.view)));
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
  if (state.file) {
    if (!picture.hidden) state.away = `${state.file.name} was put away for a drawing. Drop it again to see it.`;
    state.file = null; state.objects = []; byId("file").value = "";
  }
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

const most = 21 * 1024 * 1024; /* of a larger file the server needs no more to refuse it */
const bytesOf = async file => {
  try {
    return new Blob([await file.slice(0, most).arrayBuffer()]);
  } catch {
    throw new Error(`${file.name} cannot be read: it is a folder, or has gone or changed. Choose a picture file.`);
  }
};
const send = async () => {
  if (!facts.sees) {
    const text = byId("text").value, sent = await ask("/text", {text});
    state.text = text;
    return sent.id;
  }
  let answer;
  if (state.file) {
    const name = encodeURIComponent(state.file.name.slice(0, 200));
    answer = await ask("/picture", await bytesOf(state.file), {"x-name": name});
    byId("pictured").textContent = `${answer.name}, ${answer.size}`;
  } else {
    answer = await ask("/draw", {objects: state.objects});
    byId("pictured").textContent = state.away;
    state.away = "";
  }
  const names = state.objects.map(one => `${one.color} ${one.shape}`).join(", ");
  picture.src = answer.picture;
  picture.alt = state.file ? `The picture ${answer.name}` : `A drawing: ${names || "nothing"}`;
  show(picture, true);
  return answer.id;
};

const captions = () => [byId("caption").value, ...byId("others").value.split("\n").filter(text => text.trim())];

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
  if (state.id === null && facts.sees) { /* nothing is compared: the last picture must not stand there */
    show(picture, false);
    picture.removeAttribute("src");
    byId("pictured").textContent = "";
  }
  byId("sentences").replaceChildren(element("p", {className: "error"}, error.message));
  bars([]); blanks([]);
  byId("notes").replaceChildren();
  sayPython("try", "");
};

const answer = into("answer", async again => {
  if (state.id === null || again) state.id = await send();
  const found = await ask("/score", {id: state.id, captions: captions()});
  const trial = found.trial;
  byId("sentences").replaceChildren(...trial.sentences.map(text => element("p", {}, text)));
  bars(trial.lines); blanks(trial.blanks);
  byId("notes").replaceChildren(...[...trial.refused, ...trial.notes].map(text => element("li", {}, text)));
  sayPython("try", found.python);
}, (error, again) => {
  if (error.gone && !again) { state.id = null; answer(true); } else fail(error);
});

const changed = () => { drawObjects(); state.id = null; answer(); };
const soon = (work, after = 150) => {
  let timer;
  return () => {
    state.typing = true; /* what is shown is no longer of what was typed */
    byId("answer").setAttribute("aria-busy", "true");
    clearTimeout(timer);
    timer = setTimeout(() => { state.typing = false; work(); }, after);
  };
};

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

/* Search */
let query = ["", ""]; /* the query that the hits answer, which the box may have left behind */
const marks = {right: "holds what was asked for", swap: "a swap of it", error: "swap error", other: "something else",
  own: "the same objects", target: "where the edit should lead",
  turned: "the same objects in another order"};
const hits = (title, found, nothing = {}) => {
  const items = found.map(one => element("li", {className: one.mark},
    ...(one.picture ? [element("img", {src: one.picture, alt: ""})] : []),
    `${one.name ?? one.caption} `, element("small", {}, number(one.score)), " ",
    ...(one.mark && one.mark in marks ? [element("span", {className: "tag"}, nothing[one.mark] || marks[one.mark])] : [])));
  return element("div", {}, element("h3", {}, title), element("ol", {className: "hits"}, ...items));
};
if (facts.searched) {
  const said = byId("search-said"), sides = byId("sides");
  const search = into("hits", async () => {
    query = [byId("query").value, byId("way").selectedOptions[0].text];
    const found = await ask("/search", {text: query[0], way: byId("way").value});
    said.replaceChildren(...found.sentences.map(text => element("p", {}, text)));
    const both = [["Before the repair", found.before], ["After the repair", found.after]].filter(([, list]) => list);
    sides.replaceChildren(...both.map(([title, list]) => hits(both.length > 1 ? title : "Hits", list)));
    sayPython("search", found.python);
  }, error => {
    said.replaceChildren(element("p", {className: "error"}, error.message));
    sides.replaceChildren();
    sayPython("search", "");
  });
  byId("asking").addEventListener("submit", event => { event.preventDefault(); search(); });
  byId("way").addEventListener("change", () => search());
  document.querySelector("[data-view='search']").addEventListener("click", () => { if (!sides.children.length) search(); });
}

/* Explore */
if (facts.explored) {
  const list = byId("missed"), question = byId("question");
  let open = null, edits = [], itemPython = "";
  const values = () => Object.fromEntries([...document.querySelectorAll("select.value")].filter(one => one.value).map(one => [one.dataset.concept, one.value]));
  const failures = lastOf(async more => {
    if (!question) return;
    try {
      const found = await ask("/failures", {question: Number(question.value), values: values(), first: more ? list.children.length : 0});
      const items = found.listed.map(one => {
        const partly = one.right > 0 ? ` (${(100 * one.right).toFixed(1)} % right)` : "";
        const button = element("button", {type: "button"}, `${one.caption}${partly}${one.tie ? " (tie)" : ""}`);
        button.dataset.row = one.row;
        button.addEventListener("click", async () => { await item(one.row); byId("scene-name").focus(); });
        return element("li", {}, button);
      });
      if (more) list.append(...items); else list.replaceChildren(...items);
      byId("missed-count").textContent = found.partly ? `${found.missed.toLocaleString("en")} not wholly right` : `${found.missed.toLocaleString("en")} missed`;
      show(byId("missed-more"), list.children.length < found.missed);
    } catch (error) { list.replaceChildren(); byId("missed-count").textContent = error.message; }
  });
  const trouble = error => {
    byId("scene-name").textContent = error.message;
    show(byId("scene-picture"), false); show(byId("no-picture"), false); show(byId("edited"), false); show(byId("no-edits"), false); show(byId("editing"), false);
    byId("nearest").replaceChildren();
    sayPython("explore", "");
  };
  const item = into("scene", async row => {
    const found = await ask("/item", {row});
    open = found.row;
    byId("row").value = found.row;
    byId("scene-name").textContent = `Scene ${found.id}: ${found.caption}`;
    const image = byId("scene-picture");
    show(image, Boolean(found.picture));
    if (found.picture) { image.src = found.picture; image.alt = `The picture of ${found.caption}`; }
    byId("no-picture").textContent = found.lost;
    show(byId("no-picture"), Boolean(found.lost));
    const what = found.asks === "image" ? "Captions nearest to the picture" : "Captions nearest to this one";
    const words = {swap: "its swap", other: "another scene"};
    byId("nearest").replaceChildren(...Object.entries(found.nearest).map(([when, near]) => hits("after" in found.nearest ? `${what}, ${when} the repair` : what, near, words)));
    edits = Object.entries(found.edits).flatMap(([modality, told]) => told.map((text, edit) => ({modality, edit, text})));
    byId("edit").replaceChildren(...edits.map((one, at) => element("option", {value: at}, `${one.modality === "image" ? "picture" : "caption"}: ${one.text}`)));
    show(byId("editing"), edits.length > 0); show(byId("edited"), edits.length > 0); show(byId("no-edits"), !edits.length);
    list.querySelectorAll("button").forEach(button => button.setAttribute("aria-current", String(Number(button.dataset.row) === found.row)));
    itemPython = found.python;
    sayPython("explore", itemPython);
    if (edits.length) await change();
  }, trouble);
  const change = lastOf(async () => {
    const strength = Number(byId("strength").value), one = edits[Number(byId("edit").value)];
    byId("strength-said").textContent = strength.toFixed(2);
    if (!one) return;
    try {
      const found = await ask("/edit", {modality: one.modality, row: open, edit: one.edit, strength});
      const first = found.near[0];
      const led = first.mark === "target" ? "The nearest scene is the intended one" : "The nearest scene is not the intended one";
      byId("edit-said").textContent = `${one.modality === "image" ? "Picture" : "Caption"}, ${one.text}, strength ${strength.toFixed(2)}. ${led} (${found.target}).`;
      byId("reached").replaceChildren(...hits("", found.near, {own: "the objects that are edited", other: "other objects"}).querySelector("ol").children);
      sayPython("explore", [itemPython, found.python].filter(Boolean).join("\n"));
    } catch (error) {
      byId("edit-said").textContent = error.message;
      byId("reached").replaceChildren();
      sayPython("explore", itemPython);
    }
  });
  if (question) {
    question.addEventListener("change", () => failures());
    document.querySelectorAll("select.value").forEach(one => one.addEventListener("change", () => failures()));
    byId("missed-more").addEventListener("click", () => failures(true));
  }
  byId("row").addEventListener("change", () => {
    const typed = byId("row").value.trim(), row = Number(typed);
    if (typed && Number.isSafeInteger(row)) item(row);
    else trouble(new Error(typed ? `There is no scene ${typed}.` : "Type the number of a scene."));
  });
  byId("edit").addEventListener("change", () => change());
  byId("strength").addEventListener("input", () => change());
  document.querySelector("[data-view='explore']").addEventListener("click", async () => {
    if (open !== null) return;
    await failures();
    const worst = list.querySelector("button");
    await item(worst ? Number(worst.dataset.row) : 0);
  });
}

/* Share: the answer as it stands, without anything that runs or is fetched. */
const asked = () => {
  if (view === "search") return [`Query: ${query[0]}`, `Parts are joined by: ${query[1]}`];
  if (view === "explore") return asksOfRun();
  return view === "try" && !facts.sees ? [`Compared with: ${state.text}`] : [];
};
/* Question, filter and number of missed scenes of a run. */
const asksOfRun = () => {
  const question = byId("question");
  if (!question) return [];
  const filters = [...document.querySelectorAll("select.value")].filter(one => one.value);
  const told = filters.map(one => `${one.dataset.concept}: ${one.value}`).join(", ");
  return [`Question: ${question.selectedOptions[0].text}`, ...(told ? [`Only scenes with ${told}: ${byId("missed-count").textContent}`] : [])];
};
/* The missed scenes that are listed, and the scaling figures. */
const ofRun = () => {
  const items = [...document.querySelectorAll("#missed button")].map(one => element("li", {}, one.textContent));
  const figures = [...document.querySelectorAll("#view-explore .figure")].map(one => one.cloneNode(true));
  figures.forEach(one => { one.open = true; });
  return {list: items.length ? [element("ul", {}, ...items)] : [], figures};
};
const snapshot = () => {
  const shared = document.querySelector(`#view-${view} .shared`).cloneNode(true);
  shared.querySelectorAll("[hidden]").forEach(node => node.remove());
  const page = document.implementation.createHTMLDocument(document.title);
  page.documentElement.lang = "en";
  const policy = element("meta", {"http-equiv": "Content-Security-Policy", content: "default-src 'none'; style-src 'unsafe-inline'; img-src data:"});
  const main = element("main", {}, element("h1", {}, document.title));
  if (view === "try" && facts.sees && !picture.hidden) main.append(element("img", {src: picture.src, alt: picture.alt, className: "kept"}));
  const run = view === "explore" ? ofRun() : {list: [], figures: []};
  main.append(element("h2", {}, byId(`head-${view}`).textContent), ...asked().map(text => element("p", {}, text)));
  main.append(...run.list, shared, ...run.figures);
  if (pythons[view]) main.append(element("h2", {}, "Python that does the same"), element("pre", {tabIndex: 0}, pythons[view]));
  page.head.append(element("meta", {charset: "utf-8"}), policy,
    element("meta", {name: "viewport", content: "width=device-width, initial-scale=1"}),
    element("meta", {name: "color-scheme", content: "light dark"}), document.querySelector("style").cloneNode(true));
  page.body.className = "try";
  page.body.append(main);
  return `<!doctype html>\n${page.documentElement.outerHTML}\n`;
};
/* What is saved is of what was typed: an answer that is on its way is waited for. */
const settled = async () => {
  for (const start = Date.now(); (asking || state.typing) && Date.now() - start < 30000;) await new Promise(next => setTimeout(next, 20));
};
byId("save").addEventListener("click", async () => {
  await settled();
  const address = URL.createObjectURL(new Blob([snapshot()], {type: "text/html"}));
  const name = `conceptbind-${view}.html`;
  element("a", {href: address, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
  told.textContent = `Saved as ${name}.`;
});
byId("copy").addEventListener("click", async () => {
  byId("recipe").open = true;
  try {
    await navigator.clipboard.writeText(pythons[view]);
    told.textContent = "Python copied.";
  } catch {
    getSelection().selectAllChildren(byId("python"));
    told.textContent = "The Python is selected: copy it with the keyboard.";
  }
});
answer();
