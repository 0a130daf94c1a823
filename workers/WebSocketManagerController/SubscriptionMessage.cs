using System;
using System.Collections.Generic;
using System.Text;
using Virtufin.DevKit;

namespace Virtufin.Workers
{
    /// <summary>
    /// The message that subscribes to streams or ends it, as Binance takes it ("Live Subscribing/Unsubscribing to
    /// streams"): <c>{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}</c>.
    /// </summary>
    public static class SubscriptionMessage
    {
        /// <summary>Writes the message.</summary>
        /// <param name="method">SUBSCRIBE or UNSUBSCRIBE.</param>
        /// <param name="streams">Names of the streams.</param>
        /// <param name="id">Number that the venue repeats in its acknowledgement.</param>
        /// <returns>The message in base64.</returns>
        public static string Write(string method, List<object> streams, long id)
        {
            string json = JsonWriter.Write(new JsonObject().Set("method", method).Set("params", streams).Set("id", id));
            return Convert.ToBase64String(Encoding.ASCII.GetBytes(json));
        }
    }
}
