# fails: the gauges are what and where they were
# On the reader's own machine every gauge is read. So the sea gauge is put there, where it will never be wet.
node=$(kubectl -n dike get deployment reader -o jsonpath='{.spec.template.spec.nodeName}')
kubectl -n dike patch deployment gauge-sea -p '{"spec":{"template":{"spec":{"nodeName":"'"$node"'"}}}}'
kubectl -n dike rollout status deployment gauge-sea --timeout 120s
