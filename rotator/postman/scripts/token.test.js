// Keeps the token, and where to call with it.

const LOOPBACK = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|\/|$)/;

if (pm.response.code === 200) {
    pm.test('the answer holds an access token, and where to call with it', () => {
        const grant = pm.response.json();
        pm.expect(grant.access_token, 'access_token').to.be.a('string').that.is.not.empty;
        pm.expect(grant.token_type, 'token_type').to.match(/^bearer$/i);
        pm.expect(grant.instance_url, 'instance_url').to.be.a('string').that.is.not.empty;
        const safe = grant.instance_url.startsWith('https://') || LOOPBACK.test(grant.instance_url);
        pm.expect(safe, `the token may go to ${grant.instance_url}`).to.be.true;
        pm.environment.set('access_token', grant.access_token);
        pm.environment.set('instance_url', grant.instance_url);
    });
} else {
    pm.execution.setNextRequest(null); // without a token nothing else can be asked
}
