using System;

namespace Virtufin.DevKit
{
    /// <summary>Calls the methods of one service through the gateway, with JSON objects in and out.</summary>
    public sealed class GatewayClient
    {
        private readonly IGateway gateway;
        private readonly string service;

        /// <summary>Binds a gateway to a service.</summary>
        /// <param name="gateway">The gateway that the host handed over.</param>
        /// <param name="service">Name of the service as the gateway knows it.</param>
        public GatewayClient(IGateway gateway, string service)
        {
            this.gateway = gateway;
            this.service = service;
        }

        /// <summary>Calls a method and waits for its answer.</summary>
        /// <param name="method">Name of the method.</param>
        /// <param name="request">The request, members named as in the proto file.</param>
        /// <exception cref="CommandException">The call failed, with the status of the service; or the answer is no
        /// JSON object (INTERNAL).</exception>
        public JsonObject Call(string method, JsonObject request)
        {
            string response;
            try
            {
                response = gateway.Invoke(service, method, JsonWriter.Write(request));
            }
            catch (Exception error)
            {
                // The contract leaves the type of the exception open: the host is written in another language.
                throw StatusName.Split(error.Message, method + " failed");
            }

            try
            {
                var answer = JsonReader.Read(response) as JsonObject;
                if (answer != null && JsonDepth.IsBounded(answer))
                {
                    return answer;
                }
            }
            catch (JsonException)
            {
                // said below, in the same words
            }

            throw new CommandException(StatusName.Internal, "the answer of " + method + " is no JSON object");
        }
    }
}
