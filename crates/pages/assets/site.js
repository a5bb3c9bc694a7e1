// What both pages have in common: asking the gateway, signing in, making elements.

const KEPT = "ringway admin token";

/** The gateway's answer; a `Failure` if it says no. */
export async function ask(method, path, body) {
  const headers = {};
  const token = sessionStorage.getItem(KEPT);
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(8000),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Failure(answer.status, told.error?.message ?? `the gateway says ${answer.status}`);
  return told;
}

export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** What the gateway says of itself, once whoever looks is signed in. */
export async function signIn() {
  for (let isFirst = true; ; isFirst = false) {
    try {
      const site = await ask("GET", "api/site");
      if (site.needs_admin) offerToLeave();
      byId("gateway").textContent = `served by ${site.gateway}`;
      return site;
    } catch (error) {
      if (error.status === 401) await askForToken(isFirst ? "" : "That is not the admin token.");
      else await waitAfter(error);
    }
  }
}

/** Forgets the token, and begins again. */
export function signOut() {
  sessionStorage.removeItem(KEPT);
  location.reload();
}

/** A socket of this page's own, as this kind of pass permits. */
export function connect(site, kind, body) {
  const token = () => ask("POST", `api/passes/${kind}`, body).then(
    (pass) => pass.token,
    (error) => {
      if (error.status !== 401) throw error;
      signOut();
      return null;
    },
  );
  return globalThis.ringway.connect(site.socket, { token, tokenIn: site.token_in });
}

/** Calls a function now and then again after each pause, but not while nobody sees the page. */
export function repeatedly(pause, act) {
  let timer;
  const turn = async () => {
    clearTimeout(timer);
    if (document.visibilityState === "visible") await act();
    clearTimeout(timer);
    timer = setTimeout(turn, pause);
  };
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && turn());
  void turn();
  return turn;
}

export const byId = (id) => document.getElementById(id);

/** An element with these attributes and children; `class` and texts are what they look like. */
export function make(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/** The same for pictures. */
export function draw(tag, attributes = {}, ...children) {
  return dress(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
export const percent = (part) => `${(100 * part).toFixed(1)}%`;
export const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

function offerToLeave() {
  byId("leave").hidden = false;
  byId("leave").addEventListener("click", signOut);
}

async function waitAfter(error) {
  const banner = byId("banner");
  banner.textContent = `No answer from the gateway: ${error.message}. Trying again.`;
  banner.hidden = false;
  await new Promise((done) => setTimeout(done, 1500));
  banner.hidden = true;
}

function askForToken(problem) {
  return new Promise((done) => {
    const input = make("input", { type: "password", autocomplete: "current-password", required: true, id: "admin-token" });
    const dialog = make("dialog", { "aria-labelledby": "sign-in" },
      make("form", {
        onsubmit: (event) => {
          event.preventDefault();
          sessionStorage.setItem(KEPT, input.value.trim());
          dialog.close();
        },
      },
        make("h1", { id: "sign-in" }, "Sign in"),
        make("p", { class: "soft" }, "These pages show the cluster and need its admin token (", make("code", {}, "pages.admin_token"), ")."),
        make("label", { for: "admin-token", class: "small" }, "Admin token"),
        input,
        problem && make("p", { class: "problem", role: "alert" }, problem),
        make("button", { class: "main" }, "Sign in")),
    );
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => {
      dialog.remove();
      done();
    });
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  });
}
