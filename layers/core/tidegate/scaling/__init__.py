"""Auto Scaling, as deployments meet it: hooks, instances that wait at them, processes, copies of groups."""
