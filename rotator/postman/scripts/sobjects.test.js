if (pm.response.code === 200) {
    pm.test('Account is described, with its recent items', () => {
        const { objectDescribe, recentItems } = pm.response.json();
        pm.expect(objectDescribe.name, 'name').to.equal('Account');
        pm.expect(objectDescribe.queryable, 'queryable').to.be.true;
        pm.expect(recentItems, 'recentItems').to.be.an('array');
    });
}
