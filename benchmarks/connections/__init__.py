"""What many connections in one WebSocketManager cost: memory, processor time, frames a second."""
