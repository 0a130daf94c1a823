using System.Collections.Generic;
using Virtufin.DevKit;

namespace Virtufin.Workers
{
    /// <summary>The WebSocketManager's methods (proto/virtufin/v1/websocketmanager.proto) as this worker uses them.</summary>
    public sealed class WebSocketManagerClient
    {
        private readonly GatewayClient service;

        /// <summary>Calls through a gateway.</summary>
        /// <param name="gateway">The gateway that the host handed over.</param>
        public WebSocketManagerClient(IGateway gateway)
        {
            service = new GatewayClient(gateway, "websocketmanager");
        }

        /// <summary>Opens a connection.</summary>
        /// <param name="request">A ConnectRequest.</param>
        /// <returns>The ConnectResponse, whose id is not empty.</returns>
        public JsonObject Connect(JsonObject request)
        {
            JsonObject response = service.Call("Connect", request);
            if (string.IsNullOrEmpty(response.Get("id") as string))
            {
                throw new CommandException(StatusName.Internal, "the answer of Connect has no id");
            }

            return response;
        }

        /// <summary>Sends a message as it is.</summary>
        /// <param name="id">Id of the connection.</param>
        /// <param name="message">The message in base64.</param>
        /// <param name="contentType">Its content type, which decides between a text and a binary frame.</param>
        /// <param name="secrets">Whether references to secrets are resolved; null for the default.</param>
        /// <param name="replay">Whether the message joins the handshake; null for the default.</param>
        public void SendRaw(string id, string message, string contentType, bool? secrets, bool? replay)
        {
            service.Call("SendRaw", ById(id)
                .Set("message", message)
                .Set("content_type", contentType)
                .SetIfGiven("secrets", secrets)
                .SetIfGiven("replay", replay));
        }

        /// <summary>Starts to publish a connection's frames.</summary>
        /// <param name="request">A StartPublishRequest.</param>
        public void StartPublish(JsonObject request)
        {
            service.Call("StartPublish", request);
        }

        /// <summary>Stops publishing; the connection stays.</summary>
        /// <param name="id">Id of the connection.</param>
        public void StopPublish(string id)
        {
            service.Call("StopPublish", ById(id));
        }

        /// <summary>The connections of one owner, each a WebSocketConnection.</summary>
        /// <param name="owner">Id of the worker.</param>
        public List<object> ListOwned(string owner)
        {
            var owned = new List<object>();
            JsonObject response = service.Call("List", new JsonObject());
            foreach (object item in response.Get("connections") as List<object> ?? new List<object>())
            {
                var connection = item as JsonObject;
                if (connection != null && owner.Equals(connection.Get("owner")))
                {
                    owned.Add(connection);
                }
            }

            return owned;
        }

        /// <summary>Ends a connection.</summary>
        /// <param name="id">Id of the connection.</param>
        public void Disconnect(string id)
        {
            service.Call("Disconnect", ById(id));
        }

        /// <summary>Ends every connection of one owner.</summary>
        /// <param name="owner">Id of the worker.</param>
        /// <returns>The ids of the connections.</returns>
        public List<object> DisconnectOwned(string owner)
        {
            JsonObject response = service.Call("DisconnectOwned", new JsonObject().Set("owner", owner));
            return response.Get("ids") as List<object> ?? new List<object>();
        }

        private static JsonObject ById(string id)
        {
            return new JsonObject().Set("id", id);
        }
    }
}
