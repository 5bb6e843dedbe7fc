if (pm.response.code === 200) {
    const told = pm.response.json();

    pm.test('the token is active', () => {
        pm.expect(told.active, 'active: if not, send the request for a token again').to.be.true;
    });

    pm.test('it belongs to the user and the app of the environment', () => {
        pm.expect(told.username, 'username').to.equal(pm.variables.get('username'));
        pm.expect(told.client_id, 'client_id').to.equal(pm.variables.get('consumer_key'));
    });
}
