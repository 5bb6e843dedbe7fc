// Takes the newest API version where none is set.

if (pm.response.code === 200) {
    pm.test('the org offers the API version of the environment', () => {
        const versions = pm.response.json().map((row) => row.version);
        const newest = [...versions].sort((one, other) => one - other).pop();
        if (!pm.variables.get('api_version')) pm.environment.set('api_version', newest);
        pm.expect(versions, 'Mend: empty api_version to have the newest taken').to.include(
            pm.variables.get('api_version'),
        );
    });
}
