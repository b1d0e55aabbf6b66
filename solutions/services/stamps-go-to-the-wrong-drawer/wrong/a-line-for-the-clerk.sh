# fails: the name leads everybody to the same drawer
# The right address in the clerk's own /etc/hosts: he is cured, the next Pod is not.
address=$(kubectl -n post get service stamps -o jsonpath='{.spec.clusterIP}')
kubectl -n post exec clerk -- sh -c "echo '$address stamps' >> /etc/hosts"
