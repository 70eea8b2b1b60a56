"use strict";
(() => {
  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const save = (name, content, type) => {
    const link = make("a", "", { download: name, href: URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type })) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  // Tables: sort by a column; numbers as numbers, what is no number last.
  const keyOf = (cell) => {
    const text = cell.dataset.sort ?? cell.textContent.trim();
    const number = parseFloat(text.replace(/^binding score /, "").replace(/,/g, "").replace(/^\+/, "")) / (/ %$/.test(text) ? 100 : 1);
    return { text, number };
  };
  const cards = matchMedia("(max-width: 640px)");
  const cardsOfMany = matchMedia("(max-width: 900px)");
  // Where rows stand as cards, a long table shows its first ones and a button for the rest.
  const SHOWN = 8;
  const whole = new Set();
  const fold = (table) => {
    const rows = [...table.tBodies[0].rows];
    const long = rows.length > SHOWN + 2 && !whole.has(table);
    const kept = rows.filter((row) => !row.hidden);
    kept.forEach((row, place) => row.classList.toggle("beyond", long && place >= SHOWN));
  };
  const words = (text) => text.replace(/\s+/g, " ").trim().toLowerCase();
  const search = (table) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length <= SHOWN + 2 && !document.querySelector(`a[data-find][href="#${table.id}"]`)) return;
    const box = make("input", "", { type: "search", "aria-label": `Find in the rows of the table “${table.caption.textContent}”` });
    const count = make("span", "", { role: "status", "aria-live": "polite" });
    box.addEventListener("input", () => {
      const asked = words(box.value);
      rows.forEach((row) => { row.hidden = !words(row.textContent).includes(asked); });
      count.textContent = asked ? ` ${rows.filter((row) => !row.hidden).length} of ${rows.length} rows` : "";
      fold(table);
    });
    const label = make("label", "Find ", { class: "find" });
    label.append(box, count);
    table.parentElement.before(label);
  };
  const unfold = (table) => {
    const rows = table.tBodies[0].rows.length;
    if (rows <= SHOWN + 2) return;
    const button = make("button", `Show all ${rows} rows`, { type: "button", class: "more rest", "aria-label": `Show all ${rows} rows of the table “${table.caption.textContent}”` });
    button.addEventListener("click", () => { whole.add(table); fold(table); button.remove(); });
    table.parentElement.after(button);
  };
  for (const table of document.querySelectorAll("table.data")) {
    const heads = [...table.tHead.rows[0].cells];
    const given = [...table.tBodies[0].rows];
    const by = make("select", "");
    const sort = (column, down) => {
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      by.value = column === null ? "" : `${column} ${down ? "down" : "up"}`;
      if (column === null) { table.tBodies[0].append(...given); fold(table); return; }
      heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      const rows = given.map((row) => ({ row, key: keyOf(row.cells[column]) }));
      rows.sort((one, other) => {
        const none = Number.isNaN(one.key.number) - Number.isNaN(other.key.number);
        if (none !== 0) return none;
        if (!Number.isNaN(one.key.number)) return sign * (one.key.number - other.key.number);
        return sign * one.key.text.localeCompare(other.key.text);
      });
      table.tBodies[0].append(...rows.map(({ row }) => row));
      fold(table);
    };
    by.append(make("option", "order of the page", { value: "" }));
    heads.forEach((head, column) => {
      const name = head.textContent.trim();
      by.append(make("option", `${name}, ascending`, { value: `${column} up` }), make("option", `${name}, descending`, { value: `${column} down` }));
      const button = make("button", head.textContent, { type: "button" });
      head.replaceChildren(button);
      button.addEventListener("click", () => sort(column, head.getAttribute("aria-sort") === "ascending"));
    });
    if (given.length < 2) continue;
    // Rows that stand as cards have no head to click.
    by.setAttribute("aria-label", `Sort by, for the table “${table.caption.textContent}”`);
    by.addEventListener("change", () => {
      const [column, way] = by.value.split(" ");
      sort(by.value === "" ? null : Number(column), way === "down");
    });
    fold(table);
    const label = make("label", "Sort by ", { class: "sort" });
    label.append(by);
    table.parentElement.before(label);
    search(table);
    unfold(table);
  }
  const reach = () => {
    for (const table of document.querySelectorAll("table.data")) {
      const hidden = (table.classList.contains("many") ? cardsOfMany : cards).matches;
      table.querySelectorAll("thead button").forEach((button) => { button.tabIndex = hidden ? -1 : 0; });
    }
  };
  cards.addEventListener("change", reach);
  cardsOfMany.addEventListener("change", reach);
  reach();
  // A head with buttons in it is not repeated on the next sheet of paper.
  const pressed = [...document.querySelectorAll("table.data thead th")].map((head) => ({ head, button: head.firstChild }));
  // On paper stand also the parts that a small screen folds, and where the page comes from.
  const folded = [...document.querySelectorAll("details.part, details.paper")];
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = folded.filter((part) => !part.open);
    opened.forEach((part) => { part.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((part) => { part.open = false; }));
  addEventListener("beforeprint", () => pressed.forEach(({ head, button }) => head.replaceChildren(button.textContent)));
  addEventListener("afterprint", () => pressed.forEach(({ head, button }) => head.replaceChildren(button)));
  // CSV: plain numbers (a share from 0 to 1), ends of intervals and n in columns of their own.
  const plain = (text, unit = "") => {
    const found = /^([+-]?[\d,]*\.?\d+(?:e[+-]?\d+)?)( %| points)?$/.exec(text);
    if (!found || /^0\d/.test(text)) return null;
    const number = Number(found[1].replace(/,/g, ""));
    return found[2] || unit ? Number((number / 100).toPrecision(12)) : number;
  };
  const partsOf = (cell) => {
    const small = /n\s=\s([\d,]+)/.exec(cell.querySelector("small")?.textContent ?? "");
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("small").forEach((inner) => inner.remove());
    const text = copy.textContent.trim().replace(/\s+/g, " ");
    const [, before, low, high] = /^(?:(.+) \()?(\S+(?: %)?) to (\S+(?: %)?)\)?$/.exec(text) ?? [];
    const unit = / points$/.test(before ?? "") ? " points" : "";
    const ends = [low, high].map((end) => plain(end ?? "", unit));
    const spread = ends.every((end) => end !== null);
    const value = spread ? before ?? "" : text;
    return { text, value: value === "-" ? "" : plain(value.replace(/^binding score /, "")) ?? value, ends: spread ? ends : null, n: small && plain(small[1]) };
  };
  const quoted = (cell) => {
    if (typeof cell === "number") return String(cell);
    // a spreadsheet runs what begins like a formula
    const safe = /^[=+@\t\r-]/.test(cell) ? `'${cell}` : cell;
    return `"${safe.replace(/"/g, '""')}"`;
  };
  const csvOf = (table) => {
    const body = [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => [...row.cells].map(partsOf));
    const columns = [...table.tHead.rows[0].cells].map((head, place) => {
      const cells = body.map((row) => row[place]);
      const name = head.textContent.trim().replace(/\s+/g, " ");
      // names, ids and captions stay as they are, also those that look like numbers
      const told = place === 0 || cells.some((cell) => typeof cell.value === "string" && cell.value !== "");
      if (told && !cells.some((cell) => cell.n !== null)) return [[name, ...cells.map((cell) => cell.text)]];
      const ends = cells.some((cell) => cell.ends);
      const parts = !ends || cells.some((cell) => cell.value !== "") ? [[name, (cell) => cell.value]] : [];
      if (ends) parts.push([`${name} low`, (cell) => cell.ends?.[0] ?? ""], [`${name} high`, (cell) => cell.ends?.[1] ?? ""]);
      if (cells.some((cell) => cell.n !== null)) parts.push([`${name} n`, (cell) => cell.n ?? ""]);
      return parts.map(([title, part]) => [title, ...cells.map(part)]);
    }).flat();
    return columns[0].map((_, row) => columns.map((column) => quoted(column[row])).join(",")).join("\n") + "\n";
  };
  const fileNames = new Set();
  const fileOf = (table) => {
    const words = table.id || table.caption.textContent.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "table";
    let name = words;
    for (let more = 2; fileNames.has(name); more += 1) name = `${words}-${more}`;
    fileNames.add(name);
    return `${name}.csv`;
  };
  for (const table of document.querySelectorAll("table.data")) {
    const tools = make("div", "", { class: "tools" });
    const button = make("button", "CSV", { type: "button", "aria-label": `CSV of the table “${table.caption.textContent}”` });
    const file = fileOf(table);
    button.addEventListener("click", () => save(file, csvOf(table), "text/csv"));
    tools.append(button);
    table.parentElement.after(tools);
  }

  // Charts: as SVG and PNG files, with the colours that are seen.
  const alone = (svg) => {
    const copy = svg.cloneNode(true);
    const colours = getComputedStyle(document.documentElement);
    const [, , width, height] = svg.getAttribute("viewBox").split(" ");
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    copy.style.background = colours.getPropertyValue("--card");
    const text = new XMLSerializer().serializeToString(copy);
    return text.replace(/var\((--\w+)\)/g, (_, name) => colours.getPropertyValue(name).trim());
  };
  for (const figure of document.querySelectorAll("figure.chart")) {
    const tools = make("div", "", { class: "tools" });
    const what = figure.querySelector("figcaption").textContent;
    const shown = () => figure.querySelector(matchMedia("(max-width: 640px)").matches ? ".on-narrow svg" : ".on-wide svg");
    const asSvg = make("button", "SVG", { type: "button", "aria-label": `SVG of “${what}”` });
    asSvg.addEventListener("click", () => save(`${figure.id}.svg`, alone(shown()), "image/svg+xml"));
    const asPng = make("button", "PNG", { type: "button", "aria-label": `PNG of “${what}”` });
    asPng.addEventListener("click", () => {
      const image = new Image();
      image.onload = () => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [2 * image.width, 2 * image.height];
        const context = canvas.getContext("2d");
        context.scale(2, 2);
        context.drawImage(image, 0, 0);
        canvas.toBlob((blob) => save(`${figure.id}.png`, blob));
      };
      image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(alone(shown()))}`;
    });
    tools.append(asSvg, asPng);
    figure.querySelector("details.values").before(tools);
  }

  // Galleries: six cards, the rest behind a button; a filter for each concept.
  const FIRST = 6;
  for (const gallery of document.querySelectorAll(".gallery")) {
    const cards = [...gallery.querySelectorAll(".scene")];
    const values = cards.map((card) => JSON.parse(card.dataset.values));
    const concepts = [...new Set(values.flatMap((own) => Object.keys(own)))];
    const filters = make("div", "", { class: "filters" });
    const chosen = {};
    let all = false;
    const more = make("button", "", { type: "button", class: "more" });
    const update = () => {
      const fits = cards.filter((_, i) => concepts.every((name) => !chosen[name] || (values[i][name] ?? []).includes(chosen[name])));
      cards.forEach((card) => { card.hidden = true; });
      fits.slice(0, all ? fits.length : FIRST).forEach((card) => { card.hidden = false; });
      more.hidden = all || fits.length <= FIRST;
      more.textContent = `Show all ${fits.length}`;
      return `${fits.length} of ${cards.length} scenes${more.hidden ? "" : `; the first ${FIRST} are shown`}`;
    };
    const count = make("p", "", { class: "count", role: "status", "aria-live": "polite" });
    const tell = () => { count.textContent = update(); };
    for (const concept of concepts) {
      const known = [...new Set(values.flatMap((own) => own[concept] ?? []))].sort();
      if (known.length < 2) continue;
      const label = make("label", `${concept} `);
      const select = make("select", "", { name: concept });
      select.append(make("option", "all", { value: "" }), ...known.map((value) => make("option", value, { value })));
      select.addEventListener("change", () => { chosen[concept] = select.value; tell(); });
      label.append(select);
      filters.append(label);
    }
    more.addEventListener("click", () => { all = true; tell(); });
    gallery.addEventListener("pick", ({ detail }) => {
      concepts.forEach((name) => { chosen[name] = detail[name] ?? ""; });
      filters.querySelectorAll("select").forEach((select) => { select.value = chosen[select.name]; });
      if (!count.isConnected) gallery.before(...(filters.children.length ? [filters, count] : [count]));
      tell();
    });
    if (cards.length > FIRST && filters.children.length) gallery.before(filters);
    if (cards.length > FIRST) gallery.before(count);
    gallery.after(more);
    update();
  }
  // From a number of one object to its scenes.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-pick]");
    if (!link) return;
    const gallery = document.getElementById(link.hash.slice(1)).parentElement.querySelector(".gallery");
    gallery?.dispatchEvent(new CustomEvent("pick", { detail: JSON.parse(link.dataset.pick) }));
  });
  // From a number to the rows of a list that are behind it.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-find]");
    const same = event.target.closest("a[href^='#']");
    if (same && same.hash === location.hash) follow();  // no change of place is told
    const box = link && document.getElementById(link.hash.slice(1))?.parentElement.previousElementSibling?.querySelector("input");
    if (!box) return;
    box.value = link.dataset.find;
    box.dispatchEvent(new Event("input"));
  });
  // A number leads nowhere where the list shows none of its rows.
  for (const link of document.querySelectorAll("a[data-find]")) {
    const rows = [...document.getElementById(link.hash.slice(1))?.tBodies[0].rows ?? []];
    if (!rows.some((row) => words(row.textContent).includes(words(link.dataset.find)))) link.replaceWith(...link.childNodes);
  }
  // Where one is, in the contents.
  const contents = document.querySelector("nav details");
  if (matchMedia("(max-width: 1179px)").matches) contents.open = false;
  const links = new Map([...contents.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  const parts = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  let chosen = null;
  const mark = () => {
    // the last part that begins in the upper third, or that which was asked for while it is in view
    const begun = parts.filter((part) => part.getBoundingClientRect().top <= innerHeight / 3);
    const top = chosen?.getBoundingClientRect().top ?? -1;
    const here = top >= 0 && top < innerHeight ? chosen : begun.at(-1) ?? parts[0];
    for (const [id, link] of links) {
      if (id === here?.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  let waiting = false;
  const later = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mark(); });
  };
  addEventListener("scroll", later, { passive: true });
  addEventListener("resize", later);
  // What is jumped to is open: a list stands folded behind its heading.
  const follow = () => {
    chosen = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const behind = chosen?.nextElementSibling;
    if (behind?.tagName === "DETAILS") {
      behind.open = true;
      for (const box of behind.querySelectorAll(".find input")) { box.value = ""; box.dispatchEvent(new Event("input")); }
    }
    for (let around = chosen?.closest("details"); around; around = around.parentElement.closest("details")) around.open = true;
    later();
  };
  // A small screen begins with the appendix folded; on a large one it cannot be folded.
  const appendix = [...document.querySelectorAll("details.part")];
  const suit = () => appendix.forEach((part) => { part.open = !cards.matches; });
  cards.addEventListener("change", suit);
  suit();
  addEventListener("hashchange", follow);
  if (location.hash) follow();
  for (const own of ["wheel", "touchmove", "keydown"]) addEventListener(own, () => { chosen = null; }, { passive: true });
  mark();
  contents.addEventListener("click", (event) => {
    if (event.target.tagName === "A" && matchMedia("(max-width: 1179px)").matches) contents.open = false;
  });
})();
