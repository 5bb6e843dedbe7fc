// Runs after every request: was it refused, why, and what mends that? REFUSALS, above, has rows for each kind of
// endpoint: error code, words (both regular expressions), mend. The first that fits decides.

const path = pm.request.url.getPath();
const kind = ['token', 'introspect'].find((name) => path.endsWith(`/oauth2/${name}`)) || 'rest';

// Error code and description, as the OAuth endpoints and the REST API send them; empty where there are none.
function reason() {
    try {
        const found = pm.response.json();
        const said = (Array.isArray(found) ? found[0] : found) || {};
        return [said.error || said.errorCode, said.error_description || said.message].map((text) =>
            typeof text === 'string' ? text : '',
        );
    } catch (error) {
        const text = pm.response.text().trim();
        return [/^(Bad|Missing)_OAuth_Token$/.test(text) ? text : '', ''];
    }
}

function mend(error, words) {
    const status = pm.response.code;
    const find = (rows, code, text) =>
        rows.find(([codes, texts]) => new RegExp(`^(${codes})$`, 'i').test(code) && new RegExp(texts, 'i').test(text));
    const known = kind === 'rest' && status === 401 ? 'INVALID_SESSION_ID' : error; // another token is the cure
    const [, , told] =
        find(REFUSALS.overriding, String(status), '') ||
        (known || words ? find(REFUSALS[kind], known, words) : find(REFUSALS.wordless, String(status), ''));
    return told;
}

pm.test('Salesforce takes the request', () => {
    const status = pm.response.code;
    if (!status) pm.expect.fail('no answer came. Mend: send "1 Token" first; check login_url and the network');
    if (status >= 300 && status < 400) {
        const target = pm.response.headers.get('Location');
        pm.expect.fail(`the host redirects to ${target}, and secrets don't follow. Mend: set login_url to its own host`);
    }
    if (status >= 400) {
        const [error, words] = reason();
        const said = [error, words].filter(Boolean).join(': ') || 'no words that can be read';
        pm.expect.fail(`status ${status}, ${said}. Mend: ${mend(error, words)}`);
    }
});
