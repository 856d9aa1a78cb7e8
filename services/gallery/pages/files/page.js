// The token is in the fragment, which no server sees. It is sent by a click only: programs that
// look into mails open their links, and would use them up.
const form = document.querySelector("form");
const said = document.getElementById("said");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);

if (!token) {
  said.textContent = form.dataset.missing;
  form.hidden = true;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch(form.dataset.to, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, ...Object.fromEntries(new FormData(form)) }),
    });
    const body = await answer.json();
    if (answer.ok && form.dataset.then) {
      location.replace(form.dataset.then);
    } else {
      said.textContent =
        typeof body.detail === "string" ? body.detail : (body.message ?? form.dataset.failed);
      form.hidden = answer.ok || answer.status === 404;
    }
  } catch {
    said.textContent = form.dataset.failed;
  }
  button.disabled = false;
});
