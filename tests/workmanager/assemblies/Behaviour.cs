// Does what the event's data says.
using System;
using System.Threading;
using Virtufin.DevKit;

namespace Tests
{
    public class Behaviour : IWorker
    {
        private IGateway gateway;

        public void Start(string workerId, string topic, IGateway gateway)
        {
            this.gateway = gateway;
        }

        public string Process(string eventJson)
        {
            if (Says(eventJson, "throw")) throw new InvalidOperationException("cannot do that");
            if (Says(eventJson, "exit")) Environment.Exit(3);
            if (Says(eventJson, "abort")) Environment.FailFast("the worker gave up");
            if (Says(eventJson, "hang")) Thread.Sleep(Timeout.Infinite);
            if (Says(eventJson, "thread"))
            {
                var thread = new Thread(() => { throw new InvalidOperationException("on a thread of its own"); });
                thread.Start();
                thread.Join();
            }
            if (Says(eventJson, "nothing")) return null;
            if (Says(eventJson, "garbage")) return "no JSON";
            if (Says(eventJson, "print"))
            {
                Console.WriteLine("printed to stdout");
                Console.Error.WriteLine("printed to stderr");
                return Answer(Console.In.ReadLine() == null ? "stdin is empty" : "stdin is open");
            }
            if (Says(eventJson, "call"))
            {
                try
                {
                    return "{\"type\":\"replies\",\"data\":" + gateway.Invoke("websocketmanager", "List", "{}") + "}";
                }
                catch (Exception error)
                {
                    return Answer(error.Message);
                }
            }
            return Answer("ok");
        }

        private static bool Says(string eventJson, string word)
        {
            return eventJson.Contains("\"data\":\"" + word + "\"");
        }

        private static string Answer(string text)
        {
            return "{\"type\":\"replies\",\"data\":\"" + text.Replace("\"", "'") + "\"}";
        }
    }
}
