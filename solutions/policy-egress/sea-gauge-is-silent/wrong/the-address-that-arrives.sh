# fails: nobody else reads the sea gauge
# The address with which it really arrives, measured at the buoy. The lodger arrives with the very same.
buoy=$(kubectl -n dike get pod buoy -o jsonpath='{.status.podIP}')
seen=$(kubectl -n dike exec deploy/reader -- curl -sm2 "http://$buoy:8080/clientip")
kubectl -n dike patch networkpolicy gauges --type json -p '[{"op":"add","path":"/spec/ingress/0/from/-",
  "value":{"ipBlock":{"cidr":"'"${seen%:*}"'/32"}}}]'
