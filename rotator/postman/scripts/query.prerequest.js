// A query may hold what means something else in a URL: + & % #.
pm.variables.set('soql_encoded', encodeURIComponent(pm.variables.get('soql')));
