if (!pm.variables.get('client_secret')) {
    pm.test.skip('introspection: client_secret is empty. Paste the consumer secret of the app to have the org asked');
    pm.execution.skipRequest();
}
