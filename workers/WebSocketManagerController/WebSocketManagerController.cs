using Virtufin.DevKit;

namespace Virtufin.Workers
{
    /// <summary>
    /// Opens and owns WebSocket feeds by commands (docs/architecture.md, "Commands"). It holds no connection itself: the
    /// WebSocketManager does, under this worker's id.
    /// </summary>
    public sealed class WebSocketManagerController : CommandWorker
    {
        // One count for all connections: what one of them sees increases, and nothing has to be kept for each.
        private long lastSubscriptionId;

        /// <summary>Sets up the commands.</summary>
        public WebSocketManagerController()
            : base("urn:com.virtufin.websocketmanagercontroller", "response.websocketmanagercontroller")
        {
            On("create", Create);
            On("subscribe", command => Subscribe(command, "SUBSCRIBE"));
            On("unsubscribe", command => Subscribe(command, "UNSUBSCRIBE"));
            On("publish", Publish);
            On("stop_publish", StopPublish);
            On("send_raw", SendRaw);
            On("list", List);
            On("disconnect", Disconnect);
            On("stop", Stop);
            Alias("stop-publish", "stop_publish");
        }

        private WebSocketManagerClient WebSockets
        {
            get { return new WebSocketManagerClient(Gateway); }
        }

        private static JsonObject Done(string id, string message)
        {
            return new JsonObject().Set("id", id).Set("message", message);
        }

        private JsonObject Create(Command command)
        {
            JsonObject response = WebSockets.Connect(new JsonObject()
                .Set("url", command.Text("url"))
                .SetIfGiven("auto_reconnect", command.OptionalFlag("auto_reconnect"))
                .SetIfGiven("tags", command.OptionalTextMap("tags"))
                .SetIfGiven("connector", command.OptionalText("connector"))
                .SetIfGiven("options", command.OptionalTextMap("options"))
                .Set("owner", WorkerId)
                .SetIfGiven("lease_seconds", command.OptionalUInt32("lease_seconds")));
            var status = response.Get("status") as string;
            return Done((string)response.Get("id"), string.IsNullOrEmpty(status) ? "connected" : status);
        }

        private JsonObject Subscribe(Command command, string method)
        {
            string id = command.Text("id");
            var streams = command.Texts("params");
            lastSubscriptionId++;
            string message = SubscriptionMessage.Write(method, streams, lastSubscriptionId);
            WebSockets.SendRaw(id, message, "application/json", null, null);
            return Done(id, "sent");
        }

        private JsonObject Publish(Command command)
        {
            string id = command.Text("id");
            WebSockets.StartPublish(new JsonObject()
                .Set("id", id)
                .Set("topic", command.Text("topic"))
                .SetIfGiven("encoding", command.OptionalText("encoding"))
                .SetIfGiven("overflow", command.OptionalText("overflow"))
                .SetIfGiven("markers", command.OptionalText("markers")));
            return Done(id, "publishing");
        }

        private JsonObject StopPublish(Command command)
        {
            string id = command.Text("id");
            WebSockets.StopPublish(id);
            return Done(id, "stopped publishing");
        }

        private JsonObject SendRaw(Command command)
        {
            string id = command.Text("id");
            string message = command.Base64("message");
            string contentType = command.OptionalText("content_type") ?? "application/json";
            bool? secrets = command.OptionalFlag("secrets");
            bool? replay = command.OptionalFlag("replay");
            WebSockets.SendRaw(id, message, contentType, secrets, replay);
            return Done(id, "sent");
        }

        private JsonObject List(Command command)
        {
            return new JsonObject().Set("connections", WebSockets.ListOwned(WorkerId));
        }

        private JsonObject Disconnect(Command command)
        {
            string id = command.Text("id");
            WebSockets.Disconnect(id);
            return Done(id, "disconnected");
        }

        private JsonObject Stop(Command command)
        {
            return new JsonObject().Set("ids", WebSockets.DisconnectOwned(WorkerId)).Set("message", "disconnected");
        }
    }
}
