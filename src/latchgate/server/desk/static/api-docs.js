"use strict";

// Starts the vendored page (static/vendor/swagger-ui) on this server's own description.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  follow();
  dark.addEventListener("change", follow);

  const safe = new Set(["GET", "HEAD", "OPTIONS"]);
  const csrfToken = document.body.dataset.csrf_token;

  // A session's cookie travels by itself and counts where no Authorization is sent; a change needs its token too.
  function addCsrfToken(request) {
    const headers = request.headers || {};
    const authorized = Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
    const own = new URL(request.url, location.href).origin === location.origin;
    if (csrfToken && own && !authorized && !safe.has((request.method || "GET").toUpperCase())) {
      request.headers = { ...headers, "X-Frappe-CSRF-Token": csrfToken };
    }
    return request;
  }

  // One field for the header takes every credential; the browser sends a session itself, and nobody is asked for its
  // id. What any address may answer, and addresses that are others by another name, would hide the rest. And what is
  // tried is tried here, by whatever name this server was reached.
  function forThisPage(description) {
    const { token } = description.components.securitySchemes;
    token.description = "`token <api_key>:<api_secret>`, or `Bearer <access_token>`";
    description.components.securitySchemes = { token };
    for (const operation of Object.values(description.paths).flatMap((path) => Object.values(path))) {
      operation.security = operation.security.length ? [{ token: [] }] : [];
      for (const status of ["413", "431", "500", "503"]) delete operation.responses[status];
    }
    const told = Object.entries(description.paths).filter(([path]) => !path.startsWith("/api/v1/"));
    description.paths = Object.fromEntries(told);
    description.servers = [{ url: location.origin }];
    return description;
  }

  function start(description) {
    SwaggerUIBundle({
      dom_id: "#api",
      spec: forThisPage(description),
      defaultModelsExpandDepth: 0,
      displayRequestDuration: true,
      docExpansion: "none",
      filter: true,
      persistAuthorization: false,
      requestInterceptor: addCsrfToken,
      // The command shown beside an answer is for a key's holder, not for this browser's session.
      showMutatedRequest: false,
      validatorUrl: null,
    });
  }

  function tell(error) {
    const problem = document.getElementById("api-problem");
    problem.textContent = `The description could not be loaded (${error.message}). Try again in a moment.`;
    problem.hidden = false;
  }

  // No credentials: a session that has ended must not stand in the way of what is public.
  fetch("/api/openapi.json", { credentials: "omit" })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`))))
    .then(start)
    .catch(tell);
})();
