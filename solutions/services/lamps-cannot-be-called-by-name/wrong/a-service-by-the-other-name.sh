# fails: each lamp answers to its own name
# The missing Service, by the name that the StatefulSet asks for. Now lamp-0.lamp is known; the logbook says lamp-0.lamps.
kubectl -n harbour create service clusterip lamp --clusterip None --tcp 8080
kubectl -n harbour patch service lamp -p '{"spec":{"selector":{"app":"lamp"}}}'
