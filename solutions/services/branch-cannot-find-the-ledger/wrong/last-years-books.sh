# fails: it is the ledger of accounts that answers
# The first ledger that `kubectl get svc -A` shows with a friendly face. It answers every call, about the wrong year.
kubectl -n branch set env deployment/branch LEDGER_URL=http://ledger.archive
kubectl -n branch rollout status deployment branch --timeout 120s
