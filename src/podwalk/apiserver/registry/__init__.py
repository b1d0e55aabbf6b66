"""Rules of storing: what the API server does to an object on its way in and out of the store."""
