if (pm.response.code === 200) {
    pm.test('the token stands for the user of the environment', () => {
        const { preferred_username: told } = pm.response.json();
        pm.expect(told, 'preferred_username').to.equal(pm.variables.get('username'));
    });
}
