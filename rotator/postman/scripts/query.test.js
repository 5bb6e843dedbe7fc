if (pm.response.code === 200) {
    pm.test('the query is answered with rows, or with none', () => {
        const { totalSize, done, records } = pm.response.json();
        pm.expect(totalSize, 'totalSize').to.be.a('number');
        pm.expect(done, 'done').to.be.a('boolean');
        pm.expect(records, 'records').to.be.an('array');
    });
}
