"""JSON over HTTP: the only importer of httpx, where every foreign error becomes one of ours."""
