"""Deterministic simulation: the real daemon in virtual time, with everything going wrong by a seed.

What is real: the daemon's dispatch (``Daemon.serve``, ``Ready``, ``Rounds``, ``VaultWeather``), the driver and all of
``rotator/performer``, the core, the metadata publisher, the OAuth and REST clients with their tables of refusals,
the login budget, the configuration with its checks, and the rules of the documents in Vault.

What is not, so that a day passes in a millisecond: threads and APScheduler (:mod:`loop`: each step is a greenlet, and
every call to the outside may take virtual time), HTTP below :class:`rotator.salesforce.http.Wire` (:mod:`org`) and
below :class:`rotator.vault.kv.Kv` (:mod:`vault`), RSA (:mod:`keys`), and the reading of an app's metadata files. The
JSON codec of the documents runs in one story of a few, as it costs more than all the rest together.

A story is a fleet, its settings and a list of mishaps, all drawn from one seed (:mod:`playwright`). Mishaps are data: a
story that fails is told again with fewer of them, until none can be left out (:mod:`shrink`).
Consumers make no events: which of their calls failed follows from when they read which token, and when its session
was dead (:mod:`consumers`).
"""
