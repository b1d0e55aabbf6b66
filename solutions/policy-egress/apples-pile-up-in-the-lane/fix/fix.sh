kubectl label namespace orchard guild=growers
