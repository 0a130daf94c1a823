namespace Virtufin.DevKit
{
    /// <summary>The way to the platform's services; the host of a worker implements it.</summary>
    public interface IGateway
    {
        /// <summary>Calls one unary method of a service and waits for its answer.</summary>
        /// <param name="service">Name of the service as the gateway knows it, for example <c>websocketmanager</c>.</param>
        /// <param name="method">Name of the method, for example <c>Connect</c>.</param>
        /// <param name="requestJson">The request as proto3 JSON.</param>
        /// <returns>The response as proto3 JSON.</returns>
        /// <exception cref="System.Exception">The call failed. The message is the gRPC status name, a colon, a space
        /// and the text: <c>NOT_FOUND: no connection "x"</c>.</exception>
        string Invoke(string service, string method, string requestJson);
    }
}
