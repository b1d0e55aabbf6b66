# fails: it is the ledger of accounts that answers
# If the ledger is not here, put one here. Now there are two sets of books, and the auditors have a question.
kubectl -n branch create deployment ledger --image registry.k8s.io/e2e-test-images/agnhost:2.53 -- \
  /agnhost netexec --http-port=8080
kubectl -n branch expose deployment ledger --port 80 --target-port 8080
kubectl -n branch rollout status deployment ledger --timeout 120s
for look in $(seq 100); do
  kubectl -n branch exec deploy/branch -- curl -sfm1 -o /dev/null http://ledger/ && break
done
