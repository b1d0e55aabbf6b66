# fails: it is found by its name
# The address of the office in the setting: right today, and the office has moved before.
kubectl -n ferry set env deployment/booth FARES_URL=http://172.18.1.11/
kubectl -n ferry rollout status deployment booth --timeout 120s
