# fails: menu kept its name, type and address
# Make a Service that works, and let the broken one be a nickname of it. Whoever kept the address of menu is lost.
kubectl -n canteen expose deployment menu --name menu-new --port 80 --target-port 8080
kubectl -n canteen delete service menu
kubectl -n canteen create service externalname menu --external-name menu-new.canteen.svc.cluster.local
