"""The only module that names concrete adapters: settings to ports."""
