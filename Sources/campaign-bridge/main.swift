print("campaign-bridge")
