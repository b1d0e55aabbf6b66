# also right: the Service stays, and from now on every menu Pod is made with the label that it asks for.
kubectl -n canteen patch deployment menu --type merge -p '{"spec":{"template":{"metadata":{"labels":{"tier":"web"}}}}}'
kubectl -n canteen rollout status deployment menu --timeout 120s
