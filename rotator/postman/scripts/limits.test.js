if (pm.response.code === 200) {
    pm.test('the org has API calls left for today', () => {
        const { Max, Remaining } = pm.response.json().DailyApiRequests;
        pm.expect(Remaining, `of ${Max} calls in 24 hours are left`).to.be.above(0);
    });
}
